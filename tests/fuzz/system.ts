/** The whole system as `npm start` runs it, with its own data and ports. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startChild } from '../../deploy/local/processes/child.ts'
import { root } from '../../deploy/local/root.ts'
import { type ServiceName, serviceNames } from '../../platform/config.ts'

const startMaxMs = 90_000
const stopMaxMs = 20_000
/** Number of log lines kept for a failure. */
const keptLines = 2_000

/** A service, and the URL of its document and metrics. */
export type Address = { url: string; opsUrl: string }

export type System = {
  addresses: Record<ServiceName, Address>
  /** Its newest log lines. */
  lines: string[]
}

/** The notifier's token for alerts. */
export const alertToken = 'a-token-for-requests-at-random'

/** @returns the system once it is ready. Disposing `stack` stops it and deletes its data. */
export async function startSystem(runtime: 'node' | 'deno', stack: AsyncDisposableStack): Promise<System> {
  const dataDir = join(root, '.data', `fuzz-${process.pid}`)
  stack.defer(() => rm(dataDir, { recursive: true, force: true }))
  const { PATH, HOME } = process.env
  const ports = serviceNames.flatMap((it) => [`${it}_PORT`, `${it}_OPS_PORT`]).map((it) => it.toUpperCase())
  const lines: string[] = []
  const addresses: Partial<Record<ServiceName, Address>> = {}
  const child = await startChild({
    name: 'npm start',
    command: process.execPath,
    args: [join(root, 'deploy/local/start.ts')],
    cwd: root,
    // Without this environment: random requests must reach no store, no mail server and no person.
    env: {
      PATH,
      HOME,
      ...Object.fromEntries(ports.map((name) => [name, '0'])),
      SERVICES: serviceNames.join(','),
      DATA_DIR: dataDir,
      RUNTIME: runtime,
      LOG_FORMAT: 'json',
      ALERT_TOKEN: alertToken,
      // The receiver of customers' webhooks is here (`hooks.py`).
      WEBHOOK_ALLOW_PRIVATE: 'true',
    },
    graceMs: stopMaxMs,
    onLine: (line) => {
      lines.push(line)
      if (lines.length > keptLines) lines.shift()
      const [service, address] = listening(line) ?? []
      if (service && address) addresses[service] = address
    },
  })
  stack.defer(async () => void (await child.stop()))
  await child.line(/The three services are ready/, startMaxMs)
  return { addresses: addresses as Record<ServiceName, Address>, lines }
}

function listening(line: string): [ServiceName, Address] | undefined {
  if (!line.includes('"msg":"listening"')) return undefined
  const { service, port, opsPort } = JSON.parse(line)
  return [service, { url: `http://127.0.0.1:${port}`, opsUrl: `http://127.0.0.1:${opsPort}` }]
}
