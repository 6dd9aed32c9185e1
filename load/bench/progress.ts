/** Says what goes on: one line that replaces itself on a terminal, a line each elsewhere. Empty clears it. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  else if (text) console.error(text)
}
