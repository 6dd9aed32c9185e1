/**
 * Replaces connections to Postgres that died without a word: the other end is gone, or a proxy between swallows everything,
 * and no RST or FIN says so. The driver would wait for ever, with an idle connection as well as with a statement.
 *
 * K1. The pool hears from each of its connections every few seconds, because idle ones are asked something.
 * K2. A connection that was not heard for longer than that and the slowest statement take together is destroyed. The driver
 *     rejects its statements with `CONNECTION_CLOSED`, so their outcome is unknown, and connects again for the next one.
 * K3. So is a connection that was ended and does not close: the driver would never use its place in the pool again.
 *
 * Time is counted in ticks of a timer, so that a process that was halted does not take its own silence for that of Postgres.
 * The sockets are looked at rather than listened to: the driver removes the listeners of a socket that it wraps in TLS.
 *
 * K4. What wraps a socket in TLS is destroyed before the socket. Otherwise it takes another statement meanwhile, and emits
 *     the error of writing it after its `close`, when the driver no longer listens: that would end the process.
 */
import { Socket } from 'node:net'
import { clearInterval, setInterval } from 'node:timers'
import { setTimeout as sleep } from 'node:timers/promises'

/** Ticks of silence after which a connection is asked, and asked again. */
const askEveryTicks = 2
/** Ticks for the answer to travel, on a busy machine. */
const graceTicks = 2
/** Ticks that an ended connection may take to close. */
const closingTicks = 2
/**
 * Between two connections that are destroyed. A rejected statement may be sent again at once, on another connection of the
 * pool; if that one is closed before the driver has written, its place in the pool stays unusable for a while.
 */
const apartMs = 10

/** Of the timer, by default, milliseconds. */
export const watchTickMs = 1_000
/** Postgres may end a session that is idle for so many ticks: no process is at its other end any more (K1). */
export const abandonedAfterTicks = 30

/** Of the driver's options: where Postgres is. */
type Target = { host: string[]; port: number[]; path?: string | false }

/** A connection, and for how many ticks it is silent, or has been closing. */
type Line = { socket: Socket; read: number; silent: number; closing: number }

export type SilenceOptions = {
  /** How long a statement may take, milliseconds. */
  statementTimeoutMs: number
  tickMs: number
  /** Sends a statement that takes no time. */
  ask(): Promise<unknown>
}

/** @returns the driver's `socket` option: it makes the sockets of one pool, which are watched from then on. */
export function watchedSockets({
  statementTimeoutMs,
  tickMs,
  ask,
}: SilenceOptions): (target: Target) => Socket {
  const silentMax = askEveryTicks + Math.ceil(statementTimeoutMs / tickMs) + graceTicks
  const lines = new Set<Line>()
  let timer: NodeJS.Timeout | undefined
  let opened = 0

  function tick(): void {
    for (const line of lines) {
      look(line)
      if (line.socket.destroyed) lines.delete(line)
    }
    const dead = [...lines].filter((it) => it.silent >= silentMax || it.closing > closingTicks)
    for (const line of dead) lines.delete(line)
    void destroyEach(dead)
    // The driver takes the connection that is idle longest: of as many as are silent, each is asked.
    for (const { silent, closing } of lines)
      if (silent > 0 && silent % askEveryTicks === 0 && closing === 0) ask().catch(() => {})
    if (lines.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  return ({ host, port, path }) => {
    const at = opened++ % port.length
    const socket = new Socket().on('close', unwrapped)
    if (path) socket.connect(path)
    else socket.connect(port[at]!, host[at]!)
    lines.add({ socket, read: 0, silent: 0, closing: 0 })
    timer ??= setInterval(tick, tickMs).unref()
    // By these the driver names the server, in errors and to TLS.
    return Object.assign(socket, { host: host[at], port: port[at] })
  }
}

function look(line: Line): void {
  const { bytesRead, writableEnded } = line.socket
  line.silent = bytesRead === line.read ? line.silent + 1 : 0
  line.read = bytesRead
  if (writableEnded) line.closing++
}

async function destroyEach(lines: Line[]): Promise<void> {
  for (const { socket } of lines) {
    // A wrapper destroys itself, and then the socket, when it hears that the socket has closed (K4).
    if (!socket.listeners('close').includes(unwrapped)) socket.emit('close')
    socket.destroy()
    await sleep(apartMs)
  }
}

/** Listens to a socket for as long as the driver has not wrapped it in TLS. */
function unwrapped(): void {}
