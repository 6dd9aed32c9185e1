/** Every installed package is pinned by its hash, on every platform, and Renovate knows what is pinned. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from './root.ts'
import { sources } from './sources.ts'

type Lockfile = { packages: Record<string, { link?: boolean; integrity?: string }> }

const lockfiles = [
  'package-lock.json',
  'load/compare/package-lock.json',
  'deploy/kubernetes/kubectl/package-lock.json',
  'openapi/generator/package-lock.json',
]
const requirements = ['tests/fuzz/requirements.txt', 'deploy/container/requirements.txt']

// When npm writes a lockfile from installed packages, it omits the hashes for other platforms. To fill them in, delete
// node_modules and the lockfile, and install again.
test.each(lockfiles)('%s has a hash of every package, including those of other platforms', async (path) => {
  const { packages }: Lockfile = JSON.parse(await readFile(join(root, path), 'utf8'))
  const without = Object.entries(packages).filter(([name, it]) => name && !it.link && !it.integrity)
  expect(without.map(([name]) => name)).toEqual([])
})

test.each(requirements)('%s has a version and a hash of every package', async (path) => {
  const text = await readFile(join(root, path), 'utf8')
  const lines = text.replaceAll('\\\n', '').trim().split('\n')
  expect(lines.length).toBeGreaterThan(0)
  for (const it of lines) expect(it).toMatch(/^[\w.-]+==[^ ]+ .*--hash=sha256:[0-9a-f]{64}/)
})

/** Regexes of Renovate are those of RE2; these mean the same here. */
describe('renovate.json', async () => {
  const { packageRules, customManagers } = JSON.parse(await readFile(join(root, 'renovate.json'), 'utf8'))

  test('groups only what is installed or run', async () => {
    const { packages }: Lockfile = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'))
    const compose = await readFile(join(root, 'compose.yaml'), 'utf8')
    const containers = await readFile(join(root, 'deploy/container/Containerfile'), 'utf8')
    const images = Array.from(
      `${compose}\n${containers}`.matchAll(/(?:image: |BUILDER=)([\w./-]+):/g),
      ([, it]) => it!,
    )
    const known = [...Object.keys(packages).map((it) => it.replace('node_modules/', '')), ...images]
    const names = packageRules.flatMap(
      (rule: { matchPackageNames?: string[] }) => rule.matchPackageNames ?? [],
    )
    expect(names.length).toBeGreaterThan(10)
    const matches = (name: string, it: string) =>
      name.endsWith('/**') ? it.startsWith(name.slice(0, -2)) : it === name
    expect(names.filter((name: string) => !known.some((it) => matches(name, it)))).toEqual([])
  })

  test('finds the versions that no package manager knows', async () => {
    const found: string[] = []
    for (const { managerFilePatterns, matchStrings } of customManagers)
      for (const file of sources('.sh', '.mjs', 'Containerfile'))
        if (managerFilePatterns.some((it: string) => new RegExp(it.slice(1, -1)).test(file)))
          for (const pattern of matchStrings)
            for (const { groups } of (await readFile(join(root, file), 'utf8')).matchAll(
              new RegExp(pattern, 'g'),
            ))
              found.push(`${groups!.depName} ${groups!.currentValue}`)
    expect(found.map((it) => it.replace(/ v?\d[\w.-]*$/, '')).sort()).toEqual([
      'docker.io/library/node',
      'github.com/anchore/grype',
      'github.com/anchore/syft',
      'github.com/rhysd/actionlint',
      'github.com/sigstore/cosign/v3',
      'go.k6.io/k6',
    ])
  })
})
