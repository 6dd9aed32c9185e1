/** Checks of the image that need no build; `npm run image:test` builds it. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { DockerfileParser } from 'dockerfile-ast'
import { validate } from 'dockerfile-utils'
import { expect, test } from 'vitest'
import { processNames } from '../../platform/config.ts'
import { root } from '../local/root.ts'
import { runtimeCommand } from '../local/service.ts'
import { sources } from '../local/sources.ts'

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

test('it has every folder that a program imports from', () => {
  const copied = [...text.matchAll(/^COPY (\S+) \1$/gm)].map(([, folder]) => folder!)
  expect(copied).toContain('web')
  const imported = sources('.ts')
    .filter((path) => copied.some((it) => path.startsWith(`${it}/`)) && !/\.test\.ts$|\/testing/.test(path))
    .flatMap((path) =>
      Array.from(readFileSync(join(root, path), 'utf8').matchAll(/\bfrom '(\.[^']+\.ts)'/g), ([, it]) =>
        posix.join(posix.dirname(path), it!),
      ),
    )
  expect(imported.length).toBeGreaterThan(500)
  expect(imported.filter((path) => !copied.some((it) => path.startsWith(`${it}/`)))).toEqual([])
})

test('it starts every process once, to compile it', () => {
  const programs = processNames.map((name) => (name === 'web' ? 'web/main.ts' : `actors/${name}/main.ts`))
  const lists = [...text.matchAll(/^RUN export PORT=none; for main in (.*) \\$/gm)].map(([, list]) =>
    list!.split(' '),
  )
  expect(lists).toHaveLength(2)
  for (const list of lists)
    expect(programs.filter((it) => !list.some((pattern) => posix.matchesGlob(it, pattern)))).toEqual([])
})

test('its base images are build arguments or its own stages', () => {
  const replaceable = /^(\$\{(BUILDER|BASE)\}|libraries|image-\$\{RUNTIME\})$/
  const images = file.getFROMs().map((it) => it.getImage()!)
  expect(images).toHaveLength(6)
  expect(images.filter((it) => !replaceable.test(it))).toEqual([])
})

test('the image has the version of node that the tests run on', async () => {
  const { devDependencies } = JSON.parse(await read('package.json'))
  expect(text).toContain(`ARG BUILDER=docker.io/library/node:${devDependencies.node}-`)
})

test('the image has the licence that package.json names', async () => {
  const { license } = JSON.parse(await read('package.json'))
  expect(license).toBe('Apache-2.0')
  const titled = (await read('LICENSE')).trimStart().split('\n').slice(0, 2)
  expect(titled.map((it) => it.trim())).toEqual(['Apache License', 'Version 2.0, January 2004'])
  expect(text).toContain(`org.opencontainers.image.licenses="${license}"`)
  expect(text).toMatch(/^COPY LICENSE /m)
})

test.for(['node', 'deno'] as const)('%s is started as by npm start', (runtime) => {
  const [, ...entrypoint] = entrypoints.find(([program]) => program === `/app/bin/${runtime}`)!
  const [, ...flags] = runtimeCommand(runtime)
  expect(entrypoint).toEqual(flags)
})

test('the compile cache of node is filled with the flags that services run with', () => {
  const [, ...flags] = runtimeCommand('node')
  expect(text).toContain(`do bin/node ${flags.join(' ')} $main `)
})
