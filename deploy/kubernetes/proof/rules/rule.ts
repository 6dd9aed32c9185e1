/** What must hold of everything that is deployed together. */
import { serviceNames } from '../../../../actors/config.ts'
import { find, type Manifest } from '../render.ts'

export type Rule = {
  /** What holds, as a sentence. */
  claim: string
  /** @returns what is wrong, in lines. */
  faults(manifests: Manifest[]): string[]
  /** Breaks the rule in one place: a rule that does not notice is none. Only what `overlays/prod` renders is broken so. */
  breach(manifests: Manifest[]): void
}

export const ofKind = (manifests: Manifest[], ...kinds: string[]): Manifest[] =>
  manifests.filter(({ kind }) => kinds.includes(kind))

/** The Deployments of our services, all of them: a rule about none of them would always hold. */
export function services(manifests: Manifest[]): Manifest[] {
  return serviceNames.map((name) => find(manifests, 'Deployment', name))
}

/** Whatever makes pods, by a template of one. */
export const workloads = (manifests: Manifest[]): Manifest[] =>
  ofKind(manifests, 'Deployment', 'StatefulSet', 'DaemonSet', 'Job')

// biome-ignore lint/suspicious/noExplicitAny: typed by `types.ts`, not here
export type Container = any

export const containersOf = ({ spec }: Manifest): Container[] => [
  ...(spec.template.spec.initContainers ?? []),
  ...spec.template.spec.containers,
]

/** The container that serves. */
export const mainOf = ({ spec }: Manifest): Container => spec.template.spec.containers[0]

/** The settings that all services share. */
export function settingsOf(manifests: Manifest[]): Record<string, string> {
  const map = ofKind(manifests, 'ConfigMap').find(({ metadata }) => metadata.name.startsWith('settings-'))
  if (!map) throw new Error('There is no ConfigMap of settings')
  return map.data
}

/** Whether a selector's labels are all among these. */
export const selects = (matchLabels: Record<string, string>, labels: Record<string, string> = {}): boolean =>
  Object.entries(matchLabels).every(([name, value]) => labels[name] === value)

export const podLabelsOf = (workload: Manifest): Record<string, string> =>
  workload.spec.template.metadata.labels
