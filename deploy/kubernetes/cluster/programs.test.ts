/** The sources of the cluster's programs are pinned. Building them takes minutes: `npm run cluster:test` does. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { kubernetesVersion } from './programs.ts'

const read = (...path: string[]) => readFile(join(import.meta.dirname, 'programs', ...path), 'utf8')

/** @returns `path version` of everything that a module may be built from. */
function sourcesOf(goMod: string): string[] {
  const lines = goMod.split('\n').map((line) => line.replace(/\/\/.*/, '').trim())
  const blocks = (name: string) => {
    const from = lines.indexOf(`${name} (`)
    return from < 0 ? [] : lines.slice(from + 1, lines.indexOf(')', from)).filter(Boolean)
  }
  const replaced = new Map(blocks('replace').map((line) => line.split(' => ') as [string, string]))
  const required = lines
    .flatMap((line, i) => (line === 'require (' ? lines.slice(i + 1, lines.indexOf(')', i)) : []))
    .filter(Boolean)
  return required.map((line) => replaced.get(line.split(' ')[0]!) ?? line)
}

test.each(['.', 'containerd', '../keda', '../traefik'])(
  'every source of the module in %s has an exact version, and checksums',
  async (module) => {
    const sources = sourcesOf(await read(module, 'go.mod'))
    expect(sources.length).toBeGreaterThan(50)
    expect(sources.filter((it) => !/^\S+ v\d+\.\d+\.\d+\S*$/.test(it))).toEqual([])
    // Go refuses to build from others (-mod=readonly).
    const sums = (await read(module, 'go.sum')).trim().split('\n')
    expect(sums.filter((it) => !/ h1:[\w+/]{43}=$/.test(it))).toEqual([])
    const checked = new Set(sums.map((line) => line.split(' h1:')[0]))
    expect(sources.filter((it) => checked.has(it)).length).toBeGreaterThan(50)
  },
)

test('every part of Kubernetes has the version that the API server reports', async () => {
  const sources = sourcesOf(await read('go.mod'))
  const [, minor, patch] = kubernetesVersion.split('.')
  expect(sources).toContain(`k8s.io/kubernetes v${kubernetesVersion}`)
  const parts = ['api', 'apimachinery', 'apiserver', 'client-go', 'component-base', 'kubelet', 'kube-proxy']
  for (const it of parts) expect(sources).toContain(`k8s.io/${it} v0.${minor}.${patch}`)
})
