import { Progress } from '../../deploy/local/progress.ts'

const line = new Progress()

/** Shows progress on standard error. An empty text clears it. */
export function progress(text: string): void {
  if (text) line.show(text)
  else line.clear()
}
