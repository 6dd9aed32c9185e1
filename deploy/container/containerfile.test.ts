/** What can be seen of the image without building it; `npm run image:test` does that. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DockerfileParser } from 'dockerfile-ast'
import { validate } from 'dockerfile-utils'
import { expect, test } from 'vitest'
import { serviceNames } from '../../actors/config.ts'
import { find, render } from '../kubernetes/proof/render.ts'
import { mainOf } from '../kubernetes/proof/rules/rule.ts'
import { root } from '../local/root.ts'
import { serviceCommand } from '../local/service.ts'

const read = (path: string) => readFile(join(root, path), 'utf8')
const text = await read('deploy/container/Containerfile')
const file = DockerfileParser.parse(text)
const entrypoints = file
  .getInstructions()
  .filter((it) => it.getKeyword() === 'ENTRYPOINT')
  .map((it) => JSON.parse(it.getArgumentsContent()!) as string[])

test('it is well-formed', () => {
  expect(validate(text).map(({ message, range }) => `${range.start.line + 1}: ${message}`)).toEqual([])
})

test('it begins with images that can be named when it is built', () => {
  const told = /^(\$\{(BUILDER|BASE)\}|libraries|image-\$\{RUNTIME\})$/
  const images = file.getFROMs().map((it) => it.getImage()!)
  expect(images).toHaveLength(6)
  expect(images.filter((it) => !told.test(it))).toEqual([])
})

test('the node of the image is the one that the tests run on', async () => {
  const { devDependencies } = JSON.parse(await read('package.json'))
  expect(text).toContain(`ARG BUILDER=docker.io/library/node:${devDependencies.node}-`)
})

/** Where either runtime looks for flags of V8: a Deployment can give others, whichever runtime the image has. */
const flagsOf = { node: 'NODE_OPTIONS', deno: 'DENO_V8_FLAGS' }

test.for(['node', 'deno'] as const)('%s is started as npm start does it', async (runtime) => {
  const entrypoint = entrypoints.find(([program]) => program === `/app/bin/${runtime}`)!
  const ofImage = new RegExp(`^ENV ${flagsOf[runtime]}="(.+)"$`, 'm').exec(text)![1]!
  const manifests = await render('overlays/prod')
  for (const service of serviceNames) {
    const { env = [] } = mainOf(find(manifests, 'Deployment', service))
    const own = env.find(({ name }: { name: string }) => name === flagsOf[runtime])?.value ?? ofImage
    const [, ...flags] = serviceCommand(runtime, service).slice(0, -1)
    const told = flags.map((flag) => flag.replace('--v8-flags=', '')).sort()
    expect([...entrypoint.slice(1), ...own.split(' ')].sort(), service).toEqual(told)
  }
})
