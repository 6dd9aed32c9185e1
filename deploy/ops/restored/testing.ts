/** Helpers for tests of a restore. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { inject, onTestFinished, type TestContext } from 'vitest'
import { type ServiceName, serviceNames } from '../../../platform/config.ts'
import { range } from '../../../tests/doubles/eventually.ts'
import { withDatabase } from '../../../tests/harness/database.ts'
import { type System, startOwnSystem } from '../../../tests/harness/system.ts'
import { migrate } from '../migrate.ts'
import { restored } from './main.ts'

export const partitions = 2
export const stopAll = (system: System) => Promise.all(system.all.map((process) => process.stop()))
export const startOf = (system: System, ...services: ServiceName[]) =>
  Promise.all(services.flatMap((service) => system.processes[service].map((process) => process.start())))

export const urlOf = (name: string) => withDatabase(inject('postgresUrl'), name)

/** Runs the command as documented. */
export async function runRestored(system: System, urls?: Record<ServiceName, string>): Promise<string[]> {
  const lines: string[] = []
  const url = urlOf(system.redisPrefix)
  await restored({
    urls: urls ?? { reservation: url, stock: url, notifier: url },
    redisUrl: system.redisUrl,
    redisPrefix: system.redisPrefix,
    partitions,
    log: (line) => lines.push(line),
  })
  return lines
}

export const readers = (count: number, name = 'reader') => range(count).map((n) => `${name}-${n}`)

/** The notices on the console, each with its customer. */
export const printed = (system: System) =>
  system.processes.notifier.flatMap((process) =>
    process.logs.filter((line) => line.msg.startsWith('#####')).map((line) => `${line.userid} ${line.msg}`),
  )

/** Starts a system in which each service has its own database. */
export async function startApart(context: TestContext, env: Record<string, string> = {}) {
  const names = Object.fromEntries(
    serviceNames.map((service) => [service, `${service}-${randomBytes(5).toString('hex')}`]),
  ) as Record<ServiceName, string>
  const server = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} })
  for (const name of Object.values(names)) {
    await server`create database ${server(name)}`
    await migrate({ databaseUrl: urlOf(name), partitions })
  }
  onTestFinished(async () => {
    for (const name of Object.values(names)) await server`drop database ${server(name)} with (force)`
    await server.end()
  })
  const urls = Object.fromEntries(serviceNames.map((it) => [it, urlOf(names[it])])) as typeof names
  const system = await startOwnSystem(context, {
    partitions,
    env,
    envOf: (service) => ({ DATABASE_URL: urls[service] }),
  })
  return { system, names, urls }
}
