/** Prints progress: on a terminal one line that is overwritten, otherwise one line each. An empty text clears it. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  else if (text) console.error(text)
}
