/** Autoscalers. */
import { topics } from '../../../../actors/messages.ts'
import { find, type Manifest, nameOf } from '../render.ts'
import { external } from './environment.ts'
import { type Container, ofKind, processes, type Rule, settingsOf } from './rule.ts'

/** Autoscalers of either kind, in the terms of an HPA. */
function autoscalersOf(manifests: Manifest[], deployment: Manifest) {
  return ofKind(manifests, 'HorizontalPodAutoscaler', 'ScaledObject')
    .filter(({ spec }) => spec.scaleTargetRef.name === deployment.metadata.name)
    .map((it) => {
      const { spec } = it
      const behavior = spec.behavior ?? spec.advanced?.horizontalPodAutoscalerConfig?.behavior
      return {
        name: nameOf(it),
        min: spec.minReplicas ?? spec.minReplicaCount,
        max: spec.maxReplicas ?? spec.maxReplicaCount,
        scaleDown: behavior?.scaleDown,
        scaleUp: behavior?.scaleUp,
      }
    })
}

/** Services that only process partitions. Reservation reads events too, but accepts in every process. */
const bound: string[] = [topics.stockMailbox.owner, 'notifier']

const hasCa = (manifests: Manifest[], name: string) =>
  ofKind(manifests, 'TriggerAuthentication')
    .filter(({ metadata }) => metadata.name === name)
    .some(({ spec }) =>
      spec.secretTargetRef.some(
        (ref: Container) =>
          ref.parameter === 'ca' &&
          external(manifests, ref.name)?.spec.data.some(({ secretKey }: Container) => secretKey === ref.key),
      ),
    )

export const scaling: Rule[] = [
  {
    claim: 'a Deployment has exactly one autoscaler, and sets no replicas itself',
    faults: (manifests) =>
      processes(manifests).flatMap((it) => {
        const found = autoscalersOf(manifests, it).map(({ name }) => name)
        const both =
          found.length === 1 ? [] : [`${nameOf(it)} is scaled by: ${found.join(', ') || 'nothing'}`]
        return it.spec.replicas === undefined ? both : [...both, `${nameOf(it)} sets its replicas`]
      }),
    breach: (manifests) => {
      const scaleTargetRef = { name: 'stock' }
      const metadata = { name: 'another' }
      manifests.push({
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata,
        spec: { scaleTargetRef },
      })
    },
  },
  {
    claim: 'a Deployment never has fewer than two pods',
    faults: (manifests) =>
      processes(manifests).flatMap((it) =>
        autoscalersOf(manifests, it)
          .filter(({ min }) => !(min >= 2))
          .map(({ name }) => `${name} may scale down to one`),
      ),
    breach: (manifests) => {
      find(manifests, 'ScaledObject', 'notifier').spec.minReplicaCount = 1
    },
  },
  {
    claim: 'a service that only processes partitions has at most as many pods as partitions',
    faults: (manifests) =>
      processes(manifests)
        .filter(({ metadata }) => bound.includes(metadata.name))
        .flatMap((it) =>
          autoscalersOf(manifests, it)
            .filter(({ max }) => max !== Number(settingsOf(manifests).PARTITIONS))
            .map(({ name, max }) => `${name} may scale up to ${max}`),
        ),
    breach: (manifests) => {
      find(manifests, 'ScaledObject', 'stock').spec.maxReplicaCount = 9
    },
  },
  {
    claim: 'every trigger that reaches Redis by TLS has the CA of its certificate',
    faults: (manifests) =>
      ofKind(manifests, 'ScaledObject').flatMap((it) =>
        it.spec.triggers
          .filter(
            ({ metadata, authenticationRef }: Container) =>
              metadata.enableTLS === 'true' && !hasCa(manifests, authenticationRef?.name),
          )
          .map(({ name }: Container) => `${nameOf(it)}: ${name}`),
      ),
    breach: (manifests) => {
      find(manifests, 'ScaledObject', 'stock').spec.triggers[0].authenticationRef.name = 'stores'
    },
  },
  {
    claim: 'pods are added at once, and removed one by one after five minutes of less load',
    faults: (manifests) =>
      processes(manifests).flatMap((it) =>
        autoscalersOf(manifests, it)
          .filter(
            ({ scaleUp, scaleDown }) =>
              scaleUp?.stabilizationWindowSeconds !== 0 ||
              !(scaleDown?.stabilizationWindowSeconds >= 300) ||
              scaleDown.policies.some(
                ({ type, value }: { type: string; value: number }) => type !== 'Pods' || value !== 1,
              ),
          )
          .map(({ name }) => `${name} scales up late or down early`),
      ),
    breach: (manifests) => {
      const { spec } = find(manifests, 'ScaledObject', 'stock')
      spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.stabilizationWindowSeconds = 0
    },
  },
]
