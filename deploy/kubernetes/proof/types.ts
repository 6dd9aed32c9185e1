/**
 * Checks manifests against the types of Kubernetes, the Gateway API, KEDA, External Secrets, the Prometheus operator and the
 * k6-operator, as strictly as an API server with `--validate=strict`: an unknown field is an error.
 *
 * Each manifest becomes a literal of its type. The TypeScript compiler checks its fields, and the schema that the types were
 * generated from checks its values. Kubernetes' own kinds are checked against 1.36 and 1.30, so they fit the versions between.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../../local/root.ts'
import { type Manifest, nameOf } from './render.ts'

/** API groups outside of Kubernetes, and the packages with their types. */
const packages: Record<string, string> = {
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'keda.sh': '@kubernetes-models/keda',
  'external-secrets.io': '@kubernetes-models/external-secrets',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
}

const moduleOf = ({ apiVersion, kind }: Manifest): string => {
  const [group] = apiVersion.split('/') as [string]
  return `${packages[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`
}
/** The module of Kubernetes 1.30; undefined for other API groups. */
function oldModuleOf({ apiVersion }: Manifest): string | undefined {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion]
  if (packages[group!] || (group!.includes('.') && !group!.endsWith('.k8s.io'))) return undefined
  return `kubernetes-types/${group!.split('.')[0]}/${version}`
}
const isTestRun = ({ apiVersion }: Manifest) => apiVersion.startsWith('k6.io/')

/** @returns one line per fault. */
export async function typeFaults(manifests: Manifest[]): Promise<string[]> {
  const [fields, values] = await Promise.all([fieldFaults(manifests), valueFaults(manifests)])
  return [...fields, ...values]
}

async function fieldFaults(manifests: Manifest[]): Promise<string[]> {
  // Below node_modules, so that the compiler resolves the types.
  const cache = join(root, 'node_modules/.cache')
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, 'manifests-'))
  const k6 = relative(folder, join(import.meta.dirname, 'k6.ts'))
  const source = manifests.map((manifest, index) => toLiterals(manifest, index, k6)).join('\n')
  const options = { strict: true, noEmit: true, skipLibCheck: true, module: 'preserve', target: 'es2024' }
  const compilerOptions = { ...options, types: [], allowImportingTsExtensions: true }
  try {
    await writeFile(join(folder, 'manifests.ts'), source)
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
    await promisify(execFile)(join(root, 'node_modules/.bin/tsc'), ['--project', folder, '--pretty', 'false'])
    return []
  } catch (error) {
    return toFaults((error as { stdout: string }).stdout, source)
  } finally {
    await rm(folder, { recursive: true })
  }
}

function toLiterals(manifest: Manifest, index: number, k6: string): string {
  const literal = JSON.stringify(manifest, null, 1)
  const typed = (module: string, type: string, name: string) =>
    `import type { ${type} as T${name} } from '${module}'\nexport const ${name}: T${name} = ${literal}`
  const old = oldModuleOf(manifest)
  return [
    typed(isTestRun(manifest) ? k6 : moduleOf(manifest), `I${manifest.kind}`, `m${index}`),
    ...(old ? [typed(old, manifest.kind, `o${index}`)] : []),
  ].join('\n')
}

/** Replaces the compiler's line numbers by the text of the line and the name of its manifest. */
function toFaults(output: string, source: string): string[] {
  const lines = source.split('\n')
  return output.split('\n').flatMap((text) => {
    const [, line, message] = /\((\d+),\d+\): error (.*)/.exec(text) ?? []
    if (!line) return text.startsWith(' ') || text === '' ? [] : [text]
    const above = lines.slice(0, Number(line))
    const of = above.findLast((it) => it.startsWith('import type'))
    const name = above.findLast((it) => /^ {2}"name": /.test(it))
    return [`${of?.split(' ')[3]} ${name?.trim()} at ${lines[Number(line) - 1]!.trim()}: ${message}`]
  })
}

async function valueFaults(manifests: Manifest[]): Promise<string[]> {
  const faults = await Promise.all(
    manifests.map(async (manifest) => {
      if (isTestRun(manifest)) return []
      try {
        const models = await import(moduleOf(manifest))
        new models[manifest.kind](manifest).validate()
        return []
      } catch (error) {
        return [`${nameOf(manifest)}: ${(error as Error).message}`]
      }
    }),
  )
  return faults.flat()
}
