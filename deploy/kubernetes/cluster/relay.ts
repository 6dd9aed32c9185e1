/**
 * Leads connections to a Unix socket on to an address that only a network namespace reaches: `relay.ts SOCKET HOST PORT`, started in
 * that namespace. The file system is the same on both sides.
 */
import net from 'node:net'

export function relay(from: net.ListenOptions, to: net.NetConnectOpts): net.Server {
  const server = net.createServer((incoming) => {
    const outgoing = net.connect(to)
    for (const [one, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      one.pipe(other)
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
  })
  return server.listen(from)
}

if (import.meta.main) {
  const [path, host, port] = process.argv.slice(2) as [string, string, string]
  relay({ path }, { host, port: Number(port) })
}
