/** The sources of the cluster's programs are pinned. Building them takes minutes: `npm run cluster:test` does. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
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

describe.each(['.', 'containerd'])('the module in %s', (module) => {
  test('has an exact version and a checksum of everything that it is built from', async () => {
    const sources = sourcesOf(await read(module, 'go.mod'))
    expect(sources.length).toBeGreaterThan(50)
    const sums = new Set((await read(module, 'go.sum')).split('\n').map((line) => line.split(' h1:')[0]))
    const unpinned = sources.filter((it) => !/ v\d+\.\d+\.\d+\S*$/.test(it) || !sums.has(`${it}/go.mod`))
    expect(unpinned).toEqual([])
  })
})

test('every part of Kubernetes has the version that the API server reports', async () => {
  const sources = sourcesOf(await read('go.mod'))
  const [, minor, patch] = kubernetesVersion.split('.')
  expect(sources).toContain(`k8s.io/kubernetes v${kubernetesVersion}`)
  const parts = ['api', 'apimachinery', 'apiserver', 'client-go', 'component-base', 'kubelet', 'kube-proxy']
  for (const it of parts) expect(sources).toContain(`k8s.io/${it} v0.${minor}.${patch}`)
})
