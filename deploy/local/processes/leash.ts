import { spawn } from 'node:child_process'

// `cat` ends when this process, which holds the other end of its pipe, has ended.
const script = `trap '' HUP INT TERM
cat >/dev/null
kill -s "$1" "$0" 2>/dev/null || exit 0
for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1; kill -0 "$0" 2>/dev/null || exit 0; done
kill -s KILL "$0" 2>/dev/null`

/**
 * Ends another process when this one ends, however it ends: `kill -9` included, where no exit handler runs.
 *
 * @param signal sent first; `SIGKILL` follows after 10 s.
 * @returns a function that ends the watch. Call it when the other process is gone.
 */
export function leash(pid: number, signal: NodeJS.Signals): () => void {
  const watcher = spawn('/bin/sh', ['-c', script, String(pid), signal.replace(/^SIG/, '')], {
    // In its own session, so that Ctrl-C in the terminal reaches only the starter.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
    // If it did not find `cat`, it would kill the process at once, so it does not inherit our PATH.
    env: { PATH: '/usr/bin:/bin' },
  })
  watcher.on('error', () => {})
  watcher.stdin.on('error', () => {})
  watcher.unref()
  ;(watcher.stdin as unknown as { unref(): void }).unref()
  return () => watcher.kill('SIGKILL')
}
