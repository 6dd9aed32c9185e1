/** `npm run load -- NAME`: runs a k6 script against a running system, or starts one. */
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { root } from '../../../deploy/local/root.ts'
import { startProduct } from '../../bench/product.ts'
import { progress } from '../../bench/progress.ts'
import { startStores } from '../../bench/stores.ts'
import { findK6, howToInstall, runK6 } from './k6.ts'
import { fixedLength, type Options, readOptions } from './options.ts'

/** URLs of its metrics, if known. */
type System = NonNullable<Options['system']> & { ops?: Record<string, string> }

async function load(options: Options, k6: string, signal: AbortSignal): Promise<number> {
  await using stack = new AsyncDisposableStack()
  const system: System = options.system ?? (await startSystem(options, stack))
  const { reservationUrl, stockUrl, ops = {} } = system
  const out = resolve(options.out)
  await mkdir(out, { recursive: true })
  const results = join(out, `${options.script}.json`)
  const report = join(out, `${options.script}.html`)
  await rm(report, { force: true })
  const code = await runK6(
    k6,
    join(root, 'load/k6', `${options.script}.ts`),
    {
      RESERVATION_URL: reservationUrl,
      STOCK_URL: stockUrl,
      ...ops,
      RESULTS_FILE: results,
      ...(options.seconds && { SECONDS: String(options.seconds) }),
      ...(options.rate && { RATE: String(options.rate) }),
      K6_WEB_DASHBOARD: 'true',
      // No live dashboard, only the report.
      K6_WEB_DASHBOARD_PORT: '-1',
      K6_WEB_DASHBOARD_EXPORT: report,
      // The report needs a few points, even for a short run.
      K6_WEB_DASHBOARD_PERIOD: isShort(options) ? '1s' : '10s',
      K6_NO_USAGE_REPORT: 'true',
    },
    signal,
  )
  console.log(`\nResults: ${results}`)
  console.log(`Report:  ${existsSync(report) ? report : 'none, the run was too short'}`)
  return code
}

const isShort = ({ script, seconds }: Options) =>
  fixedLength.includes(script) || (seconds !== undefined && seconds < 120)

async function startSystem({ runtime }: Options, stack: AsyncDisposableStack): Promise<System> {
  const dir = join(root, '.data', `load-${process.pid}`)
  progress('starting a private system')
  const { databaseUrl, redisUrl } = await startStores(dir, stack)
  const product = await startProduct({ databaseUrl, redisUrl, runtime, logDir: dir })
  stack.defer(product.stop)
  progress('')
  const { urls, opsUrls } = product
  const ops = { RESERVATION_OPS_URL: opsUrls.reservation, STOCK_OPS_URL: opsUrls.stock }
  return { reservationUrl: urls.reservation, stockUrl: urls.stock, ops }
}

try {
  const options = readOptions(process.argv.slice(2), process.env)
  if (typeof options === 'string') console.log(options)
  else {
    const k6 = findK6()
    if (!k6) throw new Error(howToInstall)
    const stop = new AbortController()
    for (const name of ['SIGINT', 'SIGTERM'] as const)
      process.once(name, () => stop.abort(new Error(`Stopped by ${name}`)))
    const code = await load(options, k6, stop.signal)
    process.exitCode = code === 0 && !stop.signal.aborted ? 0 : 1
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
