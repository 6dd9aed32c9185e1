/** A process with stores: one of the services. `process.ts` has its life. */
import { reachStores } from '../streams/reach.ts'
import { BusyLines } from './busy-lines.ts'
import { type Config, type OwnSettings, readEnv, type ServiceName, toConfig } from './config.ts'
import { type Given, type Parts, runProcess } from './process.ts'
import { reportRedis } from './report-redis.ts'
import { openTracing } from './tracing/open.ts'
import type { Tracing } from './tracing/tracing.ts'

/** The inputs of a service. */
export type Surroundings<Own = object> = Given<Config & Own> & {
  /** For log lines that every reservation produces. */
  lines: BusyLines
  /** Absent when tracing is off. */
  tracing: Tracing | undefined
}

/** The parts of a service. `ready` rejects when its database does not answer. */
export type Service = Omit<Parts, 'documented' | 'reach'>

/** Runs a service until it is stopped. Sets `process.exitCode`; never rejects. */
export function runService<Own extends object = object>(
  name: ServiceName,
  build: (surroundings: Surroundings<Own>) => Promise<Service>,
  own?: OwnSettings<Own>,
): Promise<void> {
  const read = () => toConfig(name, readEnv(process.env, own), own)
  return runProcess(name, read, async (given) => {
    const { config, log, signal } = given
    const { databaseUrl, redisUrl } = config
    const tracing = await openTracing(config, log)
    const lines = new BusyLines({ log, perSecondMax: config.logLinesPerSecond })
    const service = await build({ ...given, lines, tracing })
    const reporting = reportRedis(redisUrl, log, signal)
    return {
      ...service,
      documented: service.app,
      reach: () => reachStores({ databaseUrl, redisUrl, schema: name }),
      async close() {
        await reporting
        await service.close()
        await tracing?.close()
        lines.flush()
      },
    }
  })
}
