/** Every installed package is pinned by its hash, on every platform. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from './root.ts'

type Lockfile = { packages: Record<string, { link?: boolean; integrity?: string }> }

const lockfiles = [
  'package-lock.json',
  'load/compare/package-lock.json',
  'deploy/kubernetes/kubectl/package-lock.json',
  'openapi/generator/package-lock.json',
]
const requirements = ['tests/fuzz/requirements.txt']

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
