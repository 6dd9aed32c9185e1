/**
 * Writes what must be written once for each partition: how KEDA sees what waits in its streams.
 *
 *   node deploy/kubernetes/partitions.ts
 *
 * after PARTITIONS or REDIS_PREFIX in `base/settings.env` were set, before the first migration. A test fails while what is
 * committed is not what this writes.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { Document } from 'yaml'
import type { ServiceName } from '../../actors/config.ts'
import { topics } from '../../actors/messages.ts'
import { streamKey, type Topic } from '../../streams/partition.ts'

const here = import.meta.dirname

/** What one worker should find waiting at most, in entries: stock's are commands, the notifier's are commits of stock. */
const scaled: { service: ServiceName; topic: Topic; lag: number }[] = [
  { service: 'stock', topic: topics.stockMailbox, lag: 2_000 },
  { service: 'notifier', topic: topics.stockEvents, lag: 200 },
]

const head = `Written by \`node deploy/kubernetes/partitions.ts\`: change it there.
A worker works on whole partitions, so each counts for one worker at most, however much waits in it: a hot book calls for no
workers that would have nothing to do, and there are never more workers than partitions.`

/** @returns the text of each file, by its path. */
export async function perPartition(): Promise<Record<string, string>> {
  const settings = parseEnv(await readFile(join(here, 'base/settings.env'), 'utf8'))
  const partitions = Number(settings.PARTITIONS)
  return Object.fromEntries(
    scaled.map(({ service, topic, lag }) => {
      const document = new Document(scaledObject(service, topic, lag, partitions, settings.REDIS_PREFIX!))
      document.commentBefore = head.replace(/^/gm, ' ')
      const text = document.toString({ lineWidth: 0 })
      return [join(here, `components/autoscaling-keda/${service}.yaml`), text]
    }),
  )
}

function scaledObject(service: ServiceName, topic: Topic, lag: number, partitions: number, prefix: string) {
  // Names are variables of the formula, so no dashes.
  const names = Array.from({ length: partitions }, (_, partition) => `p${partition}`)
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: {
      name: service,
      labels: {
        'app.kubernetes.io/name': service,
        'app.kubernetes.io/component': 'autoscaler',
        'app.kubernetes.io/part-of': 'bookreservation',
      },
    },
    spec: {
      // Where Redis is, and as whom to ask it, is what the service itself is told.
      scaleTargetRef: { name: service, envSourceContainerName: 'service' },
      maxReplicaCount: partitions,
      advanced: {
        scalingModifiers: {
          // Decimal points keep all of it in one type, as KEDA wants it.
          formula: names.map((name) => `min(${name}, ${lag}.0)`).join(' + '),
          target: String(lag),
          metricType: 'AverageValue',
        },
      },
      triggers: names.map((name, partition) => ({
        type: 'redis-streams',
        name,
        authenticationRef: { name: 'redis' },
        metadata: {
          addressFromEnv: 'REDIS_ADDRESS',
          usernameFromEnv: 'REDIS_USERNAME',
          passwordFromEnv: 'REDIS_PASSWORD',
          enableTLS: 'true',
          stream: streamKey(prefix, topic, partition),
          consumerGroup: service,
          lagCount: String(lag),
          activationLagCount: '0',
        },
      })),
    },
  }
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(await perPartition())) {
    await writeFile(path, text)
    console.log(path)
  }
}
