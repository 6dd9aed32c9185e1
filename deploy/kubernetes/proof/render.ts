/** The manifests that `kubectl apply -k` would send to the API server, rendered by kubectl's own kustomize. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'

export type Manifest = {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
  // `types.ts` checks the fields against the types of Kubernetes.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  [field: string]: any
}

const kubernetes = join(import.meta.dirname, '..')
/** Installed by `npm test` where the machine has no kubectl. */
const installed = join(kubernetes, 'kubectl/node_modules/.bin/kubectl')

/** @param folder of a kustomization: relative to `deploy/kubernetes`, or absolute. */
export async function render(folder: string): Promise<Manifest[]> {
  const kubectl = existsSync(installed) ? installed : 'kubectl'
  const path = folder.startsWith('/') ? folder : join(kubernetes, folder)
  const { stdout } = await promisify(execFile)(kubectl, ['kustomize', path], { maxBuffer: 32 * 1024 * 1024 })
  return parseAllDocuments(stdout).map((document) => inOneLine(document.toJS()))
}

/** kustomize breaks long secrets into lines, which API servers accept and other readers do not. */
function inOneLine(manifest: Manifest): Manifest {
  if (manifest.kind === 'Secret')
    for (const [key, value] of Object.entries<string>(manifest.data))
      manifest.data[key] = value.replaceAll('\n', '')
  return manifest
}

/** The overlays. */
export const overlays = ['overlays/dev', 'overlays/prod', 'overlays/load'] as const

/** `components/gateway` alone: what `overlays/prod` would have in place of its Ingresses. */
export const gateway = 'proof/gateway'

/** Its name for `kubectl`: `Deployment/stock`. */
export const nameOf = ({ kind, metadata }: Manifest): string => `${kind}/${metadata.name}`

export const find = (manifests: Manifest[], kind: string, name: string): Manifest => {
  const found = manifests.find((it) => it.kind === kind && it.metadata.name === name)
  if (!found) throw new Error(`There is no ${kind}/${name}`)
  return found
}
