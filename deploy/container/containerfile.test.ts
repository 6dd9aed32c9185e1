/** What can be seen of the image without building it; `npm run image:test` does that. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DockerfileParser } from 'dockerfile-ast'
import { validate } from 'dockerfile-utils'
import { expect, test } from 'vitest'
import { root } from '../local/root.ts'
import { runtimeCommand } from '../local/service.ts'

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

test.for(['node', 'deno'] as const)('%s is started as npm start does it', (runtime) => {
  const [, ...entrypoint] = entrypoints.find(([program]) => program === `/app/bin/${runtime}`)!
  const [, ...flags] = runtimeCommand(runtime)
  expect(entrypoint).toEqual(flags)
})

test('what node keeps of the files is made under the flags that it is run with', () => {
  const [, ...flags] = runtimeCommand('node')
  expect(text).toContain(`do bin/node ${flags.join(' ')} $main `)
})
