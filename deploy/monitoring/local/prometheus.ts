/** A real Prometheus with our rules, on loopback, for drills and for `npm run alerts`. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { ProcessName } from '../../../platform/config.ts'
import { type Child, startChild } from '../../local/processes/child.ts'
import { onPort } from '../../local/processes/free-port.ts'
import { findProgram } from '../../local/processes/program.ts'
import { root } from '../../local/root.ts'

const startupMaxMs = 30_000

type PrometheusOptions = {
  /** For its data and its configuration. */
  dir: string
  /** 0 means any free one. */
  port?: number
  /** Address of each process, as `host:port`. */
  targets: Record<ProcessName, string>
  /** As `host:port`. */
  alertmanager: string
  intervalSeconds?: number
}

export type Prometheus = Child & { url: string; alerts(): Promise<Alert[]> }
export type Alert = {
  labels: Record<string, string>
  annotations: Record<string, string>
  state: 'pending' | 'firing'
}

export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const { dir, port = 0 } = options
  const command = findProgram('prometheus')
  if (!command) throw new Error('Cannot find prometheus: npm test installs it')
  await mkdir(dir, { recursive: true })
  const config = join(dir, 'prometheus.yaml')
  return onPort(port, async (port) => {
    await writeFile(config, configOf(options, port))
    const child = await startChild({
      name: 'Prometheus',
      command,
      args: [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        // The first alerts may come before Alertmanager is discovered. By default they are resent only after a minute.
        '--rules.alert.resend-delay=10s',
      ],
      cwd: dir,
    })
    const url = `http://127.0.0.1:${port}`
    try {
      await child.line(/Server is ready to receive web requests/, startupMaxMs)
    } catch (error) {
      await child.stop()
      throw error
    }
    return { ...child, url, alerts: () => alertsOf(url) }
  })
}

/** As in the cluster, except for the discovery of targets. */
function configOf({ targets, alertmanager, intervalSeconds = 5 }: PrometheusOptions, port: number): string {
  const target = (service: string, address: string) => ({ targets: [address], labels: { service } })
  return stringify({
    global: { scrape_interval: `${intervalSeconds}s`, evaluation_interval: `${intervalSeconds}s` },
    rule_files: [join(root, 'deploy/monitoring/rules/*.yaml')],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager] }] }] },
    scrape_configs: [
      {
        job_name: 'bookreservation',
        // Every sample carries the label of its service.
        honor_labels: true,
        static_configs: Object.entries(targets).map(([service, address]) => target(service, address)),
      },
      {
        job_name: 'watching',
        static_configs: [target('alertmanager', alertmanager), target('prometheus', `127.0.0.1:${port}`)],
      },
    ],
  })
}

async function alertsOf(url: string): Promise<Alert[]> {
  const answer = await fetch(`${url}/api/v1/alerts`, { signal: AbortSignal.timeout(5_000) })
  return ((await answer.json()) as { data: { alerts: Alert[] } }).data.alerts
}
