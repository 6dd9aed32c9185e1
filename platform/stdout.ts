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
 *   time. At the exit they have `lastWriteMs`; a terminal that hangs then loses the last lines. A stream begins a write only
 *   after a turn of the event loop has noticed the end of the one before, so at the exit standard error helps out.
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
const stderr = 2
/** How long an exiting process waits for a thread that writes to a terminal. A thread's end cannot be seen without a turn. */
const lastWriteMs = 200

/** PIPE_BUF: the most that Linux writes to a pipe atomically. */
const pieceBytesMax = 4_096
const lineFeed = 10

/** The part of Deno's API that is used here. */
type DenoStream = { write(bytes: Uint8Array): Promise<number>; writeSync(bytes: Uint8Array): number }
const { Deno: deno } = globalThis as { Deno?: { stdout: DenoStream; stderr: DenoStream } }

let opened: Outlet | undefined

/** @returns the outlet of this process. */
export function openStdout(): Outlet {
  opened ??= open()
  return opened
}

function open(): Outlet {
  if (isatty(stdout)) {
    if (!deno) return writerTo(reopened())
    return new ThreadedTerminal(isatty(stderr) ? [deno.stdout, deno.stderr] : [deno.stdout])
  }
  if (isPipe()) unblock()
  if (!deno) return writerTo(stdout)
  return { write: (bytes) => writePieces(deno.stdout, bytes) }
}

function writePieces(stdout: DenoStream, bytes: Uint8Array): number {
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
  readonly #streams: DenoStream[]
  readonly #busy = new Set<DenoStream>()
  #fault: unknown

  /** @param streams of the same terminal. Those after the first are only for the exit. */
  constructor(streams: DenoStream[]) {
    this.#streams = streams
  }

  write(bytes: Uint8Array, last: boolean): number {
    const stream = (last ? this.#streams : this.#streams.slice(0, 1)).find((it) => !this.#busy.has(it))
    if (!stream) return 0
    if (this.#fault && !last) {
      const fault = this.#fault
      this.#fault = undefined
      throw fault
    }
    void this.#writeAll(stream, bytes)
    return bytes.length
  }

  settle(): void {
    if (this.#busy.size > 0) sleepSync(lastWriteMs)
  }

  async #writeAll(stream: DenoStream, bytes: Uint8Array): Promise<void> {
    this.#busy.add(stream)
    try {
      for (let done = 0; done < bytes.length; ) done += await stream.write(bytes.subarray(done))
    } catch (error) {
      this.#fault = error
    }
    this.#busy.delete(stream)
  }
}
