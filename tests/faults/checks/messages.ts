/** Messages: none is lost, repeated or out of order, and each partition has one owner at a time. */
import { serviceNames } from '../../../platform/config.ts'
import { type Check, type Facts, repeated } from './check.ts'

export const messages: Check[] = [
  { name: 'the event log is dense', violations: logIsDense },
  { name: 'the streams match the log', violations: streamsHoldTheLog },
  { name: 'nothing is published before its commit', violations: ({ early }) => early },
  { name: 'all is quiet in the end', violations: ({ unfinished }) => unfinished },
  { name: 'every dead letter is kept, and no other', violations: lettersAreKept },
  { name: 'a new owner has a new epoch', violations: epochsRise },
]

function logIsDense({ evidence }: Facts): string[] {
  const { log, mailboxes } = evidence
  const byPartition = Map.groupBy(log, ({ partition }) => partition)
  const gaps = mailboxes.stock.flatMap(({ partition, seq }) => {
    const seqs = (byPartition.get(partition) ?? []).map((row) => row.seq)
    const dense = seqs.every((it, index) => it === index + 1) && seqs.length === seq
    return dense
      ? []
      : [`partition ${partition}: ${seqs.length} events, the last ${seqs.at(-1)}, the sequence ${seq}`]
  })
  return [...gaps, ...repeated(log, ({ id }) => id).map(([row]) => `event ${row!.id} is there twice`)]
}

/** After its trimmed part every stream equals the log, id by id. */
function streamsHoldTheLog({ evidence }: Facts): string[] {
  const logged = Map.groupBy(evidence.log, ({ partition }) => partition)
  return evidence.mailboxes.stock.flatMap(({ partition, trimmed }) => {
    const shown = (rows: { seq: number; id: string }[]) =>
      rows.filter(({ seq }) => seq > trimmed).map(({ seq, id }) => `${seq} ${id}`)
    const wanted = shown(logged.get(partition) ?? [])
    const found = shown(evidence.published[partition]!)
    const at = wanted.findIndex((it, index) => it !== found[index])
    if (at < 0 && found.length === wanted.length) return []
    const where = at < 0 ? wanted.length : at
    return [
      `partition ${partition}: the log has ${wanted[where]}, the stream ${found[where]} (trimmed to ${trimmed})`,
    ]
  })
}

function lettersAreKept({ evidence, poison }: Facts): string[] {
  return serviceNames.flatMap((service) => {
    const name = ({ partition, position }: { partition: number; position: string }) =>
      `${service} ${partition}/${position}`
    const wanted = new Set(poison.filter((it) => it.service === service).map(name))
    const found = evidence.letters[service]
    const kept = new Set(found.map(name))
    return [
      ...[...wanted].filter((it) => !kept.has(it)).map((it) => `${it} is poison but not a dead letter`),
      ...found.filter((it) => !wanted.has(name(it))).map((it) => `${name(it)} was set aside: ${it.reason}`),
    ]
  })
}

function epochsRise({ owners }: Facts): string[] {
  return repeated(owners, ({ service, partition, epoch }) => `${service} ${partition} ${epoch}`)
    .filter((of) => new Set(of.map(({ owner }) => owner)).size > 1)
    .map(
      (of) =>
        `${of[0]!.service} ${of[0]!.partition}: epoch ${of[0]!.epoch} belonged to ${of.map((it) => it.owner).join(' and ')}`,
    )
}
