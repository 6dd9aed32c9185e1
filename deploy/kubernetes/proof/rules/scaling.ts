/** Who adds and removes pods. */
import { topics } from '../../../../actors/messages.ts'
import { find, type Manifest, nameOf } from '../render.ts'
import { external } from './environment.ts'
import { type Container, ofKind, type Rule, services, settingsOf } from './rule.ts'

/** Of either kind, in the words of an HPA. */
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

/** Those whose work is by partitions alone. Reservation reads events too, but accepts in every process. */
const bound: string[] = [topics.stockMailbox.owner, 'notifier']

const knowsAuthority = (manifests: Manifest[], name: string) =>
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
    claim: 'a Deployment has one autoscaler, never two, and does not name its replicas itself',
    faults: (manifests) =>
      services(manifests).flatMap((it) => {
        const found = autoscalersOf(manifests, it).map(({ name }) => name)
        const both = found.length === 1 ? [] : [`${nameOf(it)} is scaled by: ${found.join(', ') || 'nobody'}`]
        return it.spec.replicas === undefined ? both : [...both, `${nameOf(it)} names its replicas`]
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
    claim: 'there are never fewer than two of a service',
    faults: (manifests) =>
      services(manifests).flatMap((it) =>
        autoscalersOf(manifests, it)
          .filter(({ min }) => !(min >= 2))
          .map(({ name }) => `${name} may leave one`),
      ),
    breach: (manifests) => {
      find(manifests, 'ScaledObject', 'notifier').spec.minReplicaCount = 1
    },
  },
  {
    claim: 'where a partition is work for one, there are at most as many as partitions',
    faults: (manifests) =>
      services(manifests)
        .filter(({ metadata }) => bound.includes(metadata.name))
        .flatMap((it) =>
          autoscalersOf(manifests, it)
            .filter(({ max }) => max !== Number(settingsOf(manifests).PARTITIONS))
            .map(({ name, max }) => `${name} may be ${max}`),
        ),
    breach: (manifests) => {
      find(manifests, 'ScaledObject', 'stock').spec.maxReplicaCount = 9
    },
  },
  {
    claim: 'whoever asks Redis by TLS is told where to find the authority that certifies it',
    faults: (manifests) =>
      ofKind(manifests, 'ScaledObject').flatMap((it) =>
        it.spec.triggers
          .filter(
            ({ metadata, authenticationRef }: Container) =>
              metadata.enableTLS === 'true' && !knowsAuthority(manifests, authenticationRef?.name),
          )
          .map(({ name }: Container) => `${nameOf(it)}: ${name}`),
      ),
    breach: (manifests) => {
      find(manifests, 'ScaledObject', 'stock').spec.triggers[0].authenticationRef.name = 'stores'
    },
  },
  {
    claim: 'more are added at once, fewer one by one, after five minutes of less work',
    faults: (manifests) =>
      services(manifests).flatMap((it) =>
        autoscalersOf(manifests, it)
          .filter(
            ({ scaleUp, scaleDown }) =>
              scaleUp?.stabilizationWindowSeconds !== 0 ||
              !(scaleDown?.stabilizationWindowSeconds >= 300) ||
              scaleDown.policies.some(
                ({ type, value }: { type: string; value: number }) => type !== 'Pods' || value !== 1,
              ),
          )
          .map(({ name }) => `${name} is restless`),
      ),
    breach: (manifests) => {
      const { spec } = find(manifests, 'ScaledObject', 'stock')
      spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.stabilizationWindowSeconds = 0
    },
  },
]
