/** `npm run alerts`: Prometheus and Alertmanager for a running `npm start`; with `--drill`, a drill on a private system. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { onSignals } from '../local/processes/signals.ts'
import { isServiceLink } from '../local/settings.ts'
import { drill } from './drill.ts'
import { startAlertmanager } from './local/alertmanager.ts'
import { printAlerts } from './local/print-alerts.ts'
import { startPrometheus } from './local/prometheus.ts'

const help = `Prints alerts as they come and go.

  npm run alerts                for a running npm start: Prometheus with our rules on port 9090, Alertmanager on 9093
  npm run alerts -- --drill     breaks a private system and checks that the right people are notified; five minutes

RESERVATION_PORT, STOCK_PORT and NOTIFIER_PORT are the ports of the services, PROMETHEUS_PORT and ALERTMANAGER_PORT those
to start the two on. Alerts go to the notifier's /alerts with ALERT_TOKEN, and by e-mail to SMTP_HOST (localhost:25).`

const say = (line: string) => console.log(`${new Date().toTimeString().slice(0, 8)}  ${line}`)

try {
  const { values } = parseArgs({
    options: { drill: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) console.log(help)
  else if (!(await (values.drill ? drill(say) : watch(process.env)))) process.exitCode = 1
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}

async function watch(env: NodeJS.ProcessEnv): Promise<true> {
  const signal = onSignals(() => process.exit(1))
  const port = (name: string, usual: number) => Number((!isServiceLink(env[name]) && env[name]) || usual)
  const at = (name: string, usual: number) => `127.0.0.1:${port(name, usual)}`
  const notifier = at('NOTIFIER_PORT', 8083)
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-alerts-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const alertmanager = await startAlertmanager({
    dir: join(dir, 'alertmanager'),
    port: port('ALERTMANAGER_PORT', 9093),
    receivers: {
      notifier: `http://${notifier}/alerts`,
      token: env.ALERT_TOKEN ?? '',
      // A port that refuses: on this machine no dead man's switch listens.
      deadMansSwitch: 'http://127.0.0.1:9/',
      smtp: env.SMTP_HOST || 'localhost:25',
    },
  })
  stack.defer(async () => void (await alertmanager.stop()))
  const prometheus = await startPrometheus({
    dir: join(dir, 'prometheus'),
    port: port('PROMETHEUS_PORT', 9090),
    alertmanager: alertmanager.address,
    targets: {
      reservation: at('RESERVATION_OPS_PORT', 9081),
      stock: at('STOCK_OPS_PORT', 9082),
      notifier: at('NOTIFIER_OPS_PORT', 9083),
      web: at('WEB_OPS_PORT', 9080),
    },
  })
  stack.defer(async () => void (await prometheus.stop()))
  say(`Prometheus: ${prometheus.url}   Alertmanager: ${alertmanager.url}   Ctrl-C stops both.`)
  await printAlerts(prometheus, say, signal)
  return true
}
