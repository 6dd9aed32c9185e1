/** A rule about all manifests that are deployed together. */
import { processNames, serviceNames } from '../../../../platform/config.ts'
import { find, type Manifest } from '../render.ts'

export type Rule = {
  /** The rule, as a sentence. */
  claim: string
  /** @returns one line per fault. */
  faults(manifests: Manifest[]): string[]
  /** Breaks the rule in one place of the rendered `overlays/prod`. `faults` must detect it. */
  breach(manifests: Manifest[]): void
}

export const ofKind = (manifests: Manifest[], ...kinds: string[]): Manifest[] =>
  manifests.filter(({ kind }) => kinds.includes(kind))

/** The Deployments of our services. @throws when one is missing, because a rule about none would always hold. */
export function services(manifests: Manifest[]): Manifest[] {
  return serviceNames.map((name) => find(manifests, 'Deployment', name))
}

/** The same, and that of the pages. */
export function processes(manifests: Manifest[]): Manifest[] {
  return processNames.map((name) => find(manifests, 'Deployment', name))
}

/** Every object with a pod template. */
export const workloads = (manifests: Manifest[]): Manifest[] =>
  ofKind(manifests, 'Deployment', 'StatefulSet', 'DaemonSet', 'Job')

// biome-ignore lint/suspicious/noExplicitAny: typed by `types.ts`, not here
export type Container = any

export const containersOf = ({ spec }: Manifest): Container[] => [
  ...(spec.template.spec.initContainers ?? []),
  ...spec.template.spec.containers,
]

/** The container of the process itself. */
export const mainOf = ({ spec }: Manifest): Container => spec.template.spec.containers[0]

/** The settings that all processes share. */
export function settingsOf(manifests: Manifest[]): Record<string, string> {
  const map = ofKind(manifests, 'ConfigMap').find(({ metadata }) => metadata.name.startsWith('settings-'))
  if (!map) throw new Error('There is no ConfigMap of settings')
  return map.data
}

/** Whether people log in. */
export const hasLogin = (manifests: Manifest[]): boolean => settingsOf(manifests).IDENTITY === 'on'

/** Whether a selector matches these labels. */
export const selects = (matchLabels: Record<string, string>, labels: Record<string, string> = {}): boolean =>
  Object.entries(matchLabels).every(([name, value]) => labels[name] === value)

export const podLabelsOf = (workload: Manifest): Record<string, string> =>
  workload.spec.template.metadata.labels
