/**
 * Standard output as an outlet that never waits for its reader.
 *
 * A write to a full pipe blocks unless the descriptor is non-blocking, and so does a write to a terminal paused with
 * Ctrl-S. Threads do not help: on Node `process.exit` waits for a thread that waits for a reader, and after an exit
 * nothing shows how much of a pending write was done. So:
 *
 * - Pipes and sockets are made non-blocking in the only way that both runtimes offer: by opening a stream on them. Bytes that
 *   do not fit are then refused at once.
 * - On Node a terminal is opened again, non-blocking, for this process alone: the inherited descriptor is shared with the
 *   shell, which a non-blocking terminal would break.
 * - Deno opens a terminal only with all permissions. Its exit waits for no thread, so threads do the writing, one write at a
 *   time. At the exit they have `lastWriteMs`; a terminal that hangs then loses the last lines.
 * - Deno's standard output goes through a Rust buffer that does not report where a partial write stopped. So it gets pieces
 *   that a pipe takes whole or not at all, and that bypass the buffer.
 * - A file needs nothing: it has no reader to wait for.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { isatty } from 'node:tty'
import type { Outlet } from './log-buffer.ts'
import { sleepSync } from './sleep-sync.ts'

const stdout = 1
/** How long an exiting process waits for a thread that writes to a terminal. A thread's end cannot be seen without a turn. */
const lastWriteMs = 200

/** PIPE_BUF: the most that Linux writes to a pipe atomically. */
const pieceBytesMax = 4_096
const lineFeed = 10

/** The part of Deno's API that is used here. */
type DenoStdout = { write(bytes: Uint8Array): Promise<number>; writeSync(bytes: Uint8Array): number }
const { Deno: deno } = globalThis as { Deno?: { stdout: DenoStdout } }

let opened: Outlet | undefined

/** @returns the outlet of this process. */
export function openStdout(): Outlet {
  opened ??= open()
  return opened
}

function open(): Outlet {
  if (isatty(stdout)) return deno ? new ThreadedTerminal(deno.stdout) : writerTo(reopened())
  if (isPipe()) unblock()
  if (!deno) return writerTo(stdout)
  return { write: (bytes) => writePieces(deno.stdout, bytes) }
}

function writePieces(stdout: DenoStdout, bytes: Uint8Array): number {
  let done = 0
  while (done < bytes.length) {
    const piece = pieceOf(bytes.subarray(done))
    if (unlessFull(() => stdout.writeSync(piece)) === 0) break
    done += piece.length
  }
  return done
}

/** @param bytes end with a line feed. @returns whole lines, or a piece of a longer one. */
function pieceOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= pieceBytesMax) return bytes
  const piece = bytes.subarray(0, pieceBytesMax)
  return piece.subarray(0, piece.lastIndexOf(lineFeed) + 1 || pieceBytesMax)
}

const writerTo = (descriptor: number): Outlet => ({
  write: (bytes) => unlessFull(() => writeSync(descriptor, bytes)),
})

function unlessFull(write: () => number): number {
  try {
    return write()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
    throw error
  }
}

function isPipe(): boolean {
  try {
    const it = fstatSync(stdout)
    return it.isFIFO() || it.isSocket()
  } catch {
    // It is closed: each write will fail.
    return false
  }
}

/** Kept, because the socket closes its descriptor when it is garbage-collected. */
let unblocking: unknown

/** Node may have opened it already. */
function unblock(): void {
  if (process.stdout instanceof Socket) return
  unblocking = new Socket({ fd: stdout, readable: false, writable: true }).unref()
  void unblocking
}

/** If another user owns the terminal, the inherited descriptor stays, and a terminal that hangs blocks the process. */
function reopened(): number {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
  try {
    return openSync('/dev/stdout', O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    return stdout
  }
}

class ThreadedTerminal implements Outlet {
  readonly #stdout: DenoStdout
  #busy = false
  #fault: unknown

  constructor(stdout: DenoStdout) {
    this.#stdout = stdout
  }

  write(bytes: Uint8Array, last: boolean): number {
    if (this.#busy && !last) return 0
    if (this.#fault && !last) {
      const fault = this.#fault
      this.#fault = undefined
      throw fault
    }
    void this.#writeAll(bytes)
    return bytes.length
  }

  settle(): void {
    if (this.#busy) sleepSync(lastWriteMs)
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    this.#busy = true
    try {
      for (let done = 0; done < bytes.length; ) done += await this.#stdout.write(bytes.subarray(done))
    } catch (error) {
      this.#fault = error
    }
    this.#busy = false
  }
}
