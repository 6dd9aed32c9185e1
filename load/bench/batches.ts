/** Messages per commit, from the metrics of the services. */
import type { MeasuredProcess } from './process.ts'
import { count } from './report.ts'
import { call } from './target.ts'

export type Batches = { name: string; messages: number; commits: number; seconds: number }

/** The counts of each service since its start. */
export const batchesOf = (processes: MeasuredProcess[]): Promise<Batches[]> =>
  Promise.all(
    services(processes).map(async ({ name, opsPort }) => {
      const text = await (await call(`http://127.0.0.1:${opsPort}/metrics`)).text()
      const figure = (metric: string) =>
        Number(new RegExp(`^${metric}(?:\\{.*\\})? (\\S+)`, 'm').exec(text)?.[1] ?? 0)
      return {
        name,
        messages: figure('bookreservation_mailbox_batch_messages_sum'),
        commits: figure('bookreservation_mailbox_batch_messages_count'),
        seconds: figure('bookreservation_mailbox_commit_duration_seconds_sum'),
      }
    }),
  )

const services = (processes: MeasuredProcess[]) => processes.filter(({ opsPort }) => opsPort !== undefined)

/** The difference of the two, one line per process that committed anything. */
export function describeBatches(before: Batches[], after: Batches[]): string[] {
  return after.flatMap(({ name, messages, commits, seconds }) => {
    const since = before.find((it) => it.name === name)
    const times = commits - (since?.commits ?? 0)
    if (times <= 0) return []
    const size = (messages - (since?.messages ?? 0)) / times
    const ms = ((seconds - (since?.seconds ?? 0)) * 1000) / times
    return [`${name} ${count(times)} commits of ${size.toFixed(1)} messages, ${ms.toFixed(1)} ms each`]
  })
}
