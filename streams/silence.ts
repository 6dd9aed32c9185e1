/**
 * Replaces dead connections to Postgres: the other end is gone, or a proxy between drops everything, and no RST or FIN
 * arrives. The driver would wait for ever, both on idle connections and for statements.
 *
 * Z1. Each connection of the pool receives something every few seconds, because idle ones are queried.
 * Z2. A connection that receives nothing for longer than that plus the slowest statement is destroyed. The driver rejects its
 *     statements with `CONNECTION_CLOSED`, so their outcome is unknown, and reconnects for the next one.
 * Z3. So is a connection that was ended and does not close: the driver would never use its place in the pool again.
 * Z4. The TLS wrapper of a socket is destroyed before the socket. Otherwise it could accept another statement meanwhile, and
 *     emit the write error after its `close`, when the driver no longer listens, which would end the process.
 *
 * Time is counted in ticks of a timer, so that a process that was halted does not mistake its own pause for silence. Sockets
 * are polled, because the driver removes the listeners of a socket that it wraps in TLS.
 */
import { Socket } from 'node:net'
import { clearInterval, setInterval } from 'node:timers'
import { setTimeout as sleep } from 'node:timers/promises'

/** Ticks of silence between two queries on an idle connection. */
const askEveryTicks = 2
/** Ticks for the answer to arrive, on a busy machine. */
const graceTicks = 2
/** Ticks that an ended connection may take to close. */
const closingTicks = 2
/**
 * Pause between destroying two connections. A rejected statement may be retried at once on another connection of the pool. If
 * that one closed before the driver has written, its place in the pool would be unusable for a while.
 */
const destroyEveryMs = 10

/** The default tick, milliseconds. */
export const watchTickMs = 1_000
/** Postgres may end a session after this many idle ticks: its process is gone (Z1). */
export const abandonedAfterTicks = 30

/** The address in the driver's options. */
type Target = { host: string[]; port: number[]; path?: string | false }

/** A connection, and for how many ticks it has been silent, or closing. */
type Line = { socket: Socket; read: number; silent: number; closing: number }

type SilenceOptions = {
  /** How long a statement may take, milliseconds. */
  statementTimeoutMs: number
  tickMs: number
  /** Sends a trivial statement. */
  ask(): Promise<unknown>
}

/** @returns the driver's `socket` option, which creates and watches the sockets of one pool. */
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
    // The driver uses the connection that is idle longest, so as many statements as silent connections reach each of them.
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
    // The driver uses these in errors and for TLS.
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
    // A TLS wrapper destroys itself, and then the socket, when the socket emits `close` (Z4).
    if (!socket.listeners('close').includes(unwrapped)) socket.emit('close')
    socket.destroy()
    await sleep(destroyEveryMs)
  }
}

/** Is a listener of a socket until the driver wraps it in TLS. */
function unwrapped(): void {}
