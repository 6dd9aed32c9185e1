/** Whether API servers would accept our manifests. */

import { readFile } from 'node:fs/promises'
import { beforeAll, expect, test } from 'vitest'
import { perPartition } from '../partitions.ts'
import { find, gateway, type Manifest, nameOf, overlays, render } from './render.ts'
import { typeFaults } from './types.ts'

const folders = [...overlays, gateway] as const
let rendered: Record<string, Manifest[]>
beforeAll(async () => {
  rendered = Object.fromEntries(await Promise.all(folders.map(async (it) => [it, await render(it)])))
})
/** For a test that changes it. */
const copyOf = (overlay: (typeof folders)[number]) => structuredClone(rendered[overlay]!)

test.for(folders)('API servers accept everything in %s', async (overlay) => {
  expect(await typeFaults(copyOf(overlay))).toEqual([])
})

test('an unknown field or a wrong type is an error, at any depth of every kind of manifest', async () => {
  const [prod, load] = [copyOf('overlays/prod'), copyOf('overlays/load')]
  const deployment = find(prod, 'Deployment', 'stock')
  deployment.spec.template.spec.containers[0].livenessProbe.periodSecond = 5
  const job = find(prod, 'Job', 'migrate')
  job.spec.backoffLimit = '10'
  const scaled = find(prod, 'ScaledObject', 'stock')
  scaled.spec.advanced.scalingModifiers.formulas = 'p0'
  const secret = find(prod, 'ExternalSecret', 'stock-stores')
  secret.spec.target.nam = 'stock'
  const run = find(load, 'TestRun', 'load')
  run.spec.runner.automountServiceAccountToken = false
  const route = find(copyOf(gateway), 'HTTPRoute', 'staff')
  route.spec.rules[0].backendRefs[0].servicePort = 8082
  const unknown = { ...find(prod, 'Service', 'stock'), apiVersion: 'v2' }

  const faults = (await typeFaults([deployment, job, scaled, secret, run, route, unknown])).join('\n')
  expect(faults).toMatch(/Deployment.*stock.*periodSecond/)
  expect(faults).toMatch(/Job.*migrate.*backoffLimit/)
  expect(faults).toMatch(/ScaledObject.*stock.*formulas/)
  expect(faults).toMatch(/ExternalSecret.*stock-stores.*nam/)
  expect(faults).toMatch(/TestRun.*load.*automountServiceAccountToken/)
  expect(faults).toMatch(/HTTPRoute.*staff.*servicePort/)
  expect(faults).toMatch(/Service.*stock.*v2/)
})

test('a field that is newer than the oldest Kubernetes is an error', async () => {
  const deployment = find(copyOf('overlays/dev'), 'Deployment', 'stock')
  // Since 1.34.
  deployment.spec.template.spec.hostnameOverride = 'stock'
  expect(await typeFaults([deployment])).toEqual([expect.stringContaining('hostnameOverride')])
})

test('a malformed value is an error', async () => {
  const deployment = find(copyOf('overlays/dev'), 'Deployment', 'stock')
  deployment.spec.template.spec.containers[0].resources.requests.memory = '192 megabytes'
  expect((await typeFaults([deployment])).join()).toMatch(/requests.*quantity/)
})

test('no manifest uses an alpha or beta version where a stable one exists', () => {
  const manifests = Object.values(rendered).flat()
  const young = manifests.filter(({ apiVersion }) => /alpha|beta/.test(apiVersion))
  const notOurs = ({ apiVersion }: Manifest) =>
    /^(keda\.sh|k6\.io|monitoring\.coreos\.com)\/v1alpha1$/.test(apiVersion)
  expect(young.filter((it) => !notOurs(it)).map(nameOf)).toEqual([])
})

test('KEDA watches every partition of PARTITIONS, as `partitions.ts` generates it', async () => {
  for (const [path, text] of Object.entries(await perPartition()))
    expect(await readFile(path, 'utf8')).toBe(text)
})
