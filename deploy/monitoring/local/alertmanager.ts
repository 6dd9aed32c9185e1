/** A real Alertmanager with our routes, on loopback. Only the receivers' addresses are changed. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseDocument, visit } from 'yaml'
import { type Child, startChild } from '../../local/processes/child.ts'
import { onPort } from '../../local/processes/free-port.ts'
import { findProgram } from '../../local/processes/program.ts'
import { root } from '../../local/root.ts'

export const alertmanagerConfig = join(root, 'deploy/monitoring/alertmanager.yaml')
const startupMaxMs = 30_000

export type Receivers = {
  /** URL of the notifier's `/alerts`. */
  notifier: string
  /** Bearer token that the notifier expects. */
  token: string
  deadMansSwitch: string
  /** A mail server, as `host:port`. */
  smtp: string
}

type AlertmanagerOptions = { dir: string; port?: number; receivers: Receivers }
export type Alertmanager = Child & { address: string; url: string }

export async function startAlertmanager({
  dir,
  port = 0,
  receivers,
}: AlertmanagerOptions): Promise<Alertmanager> {
  // Debian's name, then everyone else's.
  const command = findProgram('prometheus-alertmanager', 'alertmanager')
  if (!command) throw new Error('Cannot find alertmanager: npm test installs it')
  await mkdir(dir, { recursive: true })
  const config = join(dir, 'alertmanager.yaml')
  const tokenFile = join(dir, 'token')
  await writeFile(tokenFile, receivers.token, { mode: 0o600 })
  await writeFile(config, redirected(await readFile(alertmanagerConfig, 'utf8'), receivers, tokenFile))
  return onPort(port, async (port) => {
    const address = `127.0.0.1:${port}`
    const child = await startChild({
      name: 'Alertmanager',
      ...withTemplates(command, [
        `--config.file=${config}`,
        `--storage.path=${join(dir, 'data')}`,
        `--web.listen-address=${address}`,
        // It has no peers.
        '--cluster.listen-address=',
      ]),
      cwd: dir,
    })
    try {
      await child.line(/Listening on/, startupMaxMs)
    } catch (error) {
      await child.stop()
      throw error
    }
    return { ...child, address, url: `http://${address}` }
  })
}

const templates = '/usr/share/prometheus'

/**
 * Debian's Alertmanager reads its templates from one fixed path. An unpacked one gets its own templates mounted there, for
 * itself only: that takes Linux user namespaces, which some machines refuse.
 */
function withTemplates(command: string, args: string[]): { command: string; args: string[] } {
  const own = join(dirname(command), '../share/prometheus')
  if (existsSync(join(templates, 'alertmanager')) || !existsSync(own)) return { command, args }
  const script = `mount -t tmpfs tmpfs /usr/share && cp -r "$0" ${templates} && exec "$@"`
  const wrapped = ['--map-root-user', '--mount', '/bin/sh', '-c', script, own, command, ...args]
  return { command: 'unshare', args: wrapped }
}

/** @returns the same routes, receivers and inhibitions, with other addresses. */
function redirected(text: string, { notifier, deadMansSwitch, smtp }: Receivers, tokenFile: string): string {
  const document = parseDocument(text)
  const global = document.get('global') as {
    set(key: string, value: unknown): void
    delete(key: string): void
  }
  global.set('smtp_smarthost', smtp)
  global.set('smtp_require_tls', false)
  for (const key of ['smtp_auth_username', 'smtp_auth_password_file']) global.delete(key)
  visit(document, {
    Pair(_, pair) {
      const { key, value } = pair as unknown as { key: { value: string }; value: { value: string } }
      if (key.value === 'credentials_file') value.value = tokenFile
      if (key.value === 'url') value.value = value.value.endsWith('/alerts') ? notifier : deadMansSwitch
    },
  })
  return document.toString()
}
