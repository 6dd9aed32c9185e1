import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { root } from './root.ts'
import { compileServices, runtimeCommand } from './service.ts'

test('a service finds all its files in a filled compile cache, and loads nothing for what is not configured', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-test-'))
  try {
    const cache = { NODE_COMPILE_CACHE: join(dir, 'cache') }
    // Other programs may have used the cache before.
    await mkdir(cache.NODE_COMPILE_CACHE)
    await compileServices('node', cache)
    const [command, ...flags] = runtimeCommand('node')
    const env = { ...cache, NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }
    const { promise: output, resolve } = Promise.withResolvers<string>()
    execFile(
      command,
      [...flags, join(root, 'actors/notifier/main.ts')],
      { env, maxBuffer: 50_000_000 },
      (_error, stdout, stderr) => resolve(stdout + stderr),
    )
    const lines = (await output).split('\n')
    const found = lines.filter((line) => /retrieving transpile cache .*success$/.test(line))
    expect(found.length).toBeGreaterThan(20)
    expect(lines.filter((line) => line.includes('no transpile cache'))).toEqual([])
    expect(lines.some((line) => /node_modules\/zod\//.test(line))).toBe(true)
    const ofOptions = /node_modules\/(jose|nodemailer|@opentelemetry\/(?!api\/))/
    expect(lines.filter((line) => ofOptions.test(line))).toEqual([])
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

/** Makes many objects that live for a while. Prints the largest size of the space for young objects, in MB. */
const crowd = `
const { getHeapSpaceStatistics } = await import('node:v8')
let peak = 0
for (let round = 0; round < 10; round++) {
  Array.from({ length: 200_000 }, (_, i) => ({ i, list: [i] }))
  const { space_size } = getHeapSpaceStatistics().find((it) => it.space_name === 'new_space')
  peak = Math.max(peak, space_size / 2 ** 20)
}
console.log(peak)`

test.for([
  ['stock', 32],
  ['web', 8],
] as const)('the young objects of %s take up to %d MB', async ([service, megabytes]) => {
  const [command, ...flags] = runtimeCommand('node', service)
  const { stdout } = await promisify(execFile)(command, [...flags, '--input-type=module', '--eval', crowd])
  expect(Number(stdout)).toBe(megabytes)
})
