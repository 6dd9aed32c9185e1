/** Builds the image, from the base images of the Containerfile, or from local ones if no registry can be reached. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../local/root.ts'
import { podman, shown } from './podman.ts'

const file = join(root, 'deploy', 'container', 'Containerfile')

export type Bases = { builder: string; base: string; local: boolean }

/** The base images of the environment (BUILDER, BASE), else those of the Containerfile, else local ones. */
export async function basesOf(env: NodeJS.ProcessEnv): Promise<Bases> {
  if (env.BUILDER && env.BASE) return { builder: env.BUILDER, base: env.BASE, local: false }
  const text = await readFile(file, 'utf8')
  const named = (name: string) => text.match(new RegExp(`^ARG ${name}=(.+)$`, 'm'))![1]!
  const bases = { builder: named('BUILDER'), base: named('BASE'), local: false }
  try {
    for (const image of [bases.builder, bases.base]) await podman('pull', '--quiet', image)
    return bases
  } catch (error) {
    console.log(
      `No registry: ${String((error as Error).message)
        .trim()
        .split('\n')
        .at(-1)}`,
    )
    return localBases()
  }
}

async function localBases(): Promise<Bases> {
  const bases = {
    builder: 'localhost/bookreservation-builder',
    base: 'localhost/bookreservation-base',
    local: true,
  }
  const there = await Promise.all([bases.builder, bases.base].map(exists))
  if (!there.every(Boolean))
    await shown(join(root, 'deploy/container/local-base.sh'), bases.builder, bases.base)
  return bases
}

const exists = (image: string) =>
  podman('image', 'exists', image).then(
    () => true,
    () => false,
  )

/** @returns the image's name. */
export async function build(runtime: 'node' | 'deno', { builder, base }: Bases): Promise<string> {
  const image = `localhost/bookreservation:test-${runtime}`
  const args = { RUNTIME: runtime, BUILDER: builder, BASE: base }
  const buildArgs = Object.entries(args).map(([name, value]) => `--build-arg=${name}=${value}`)
  await shown('podman', 'build', '--network=host', `--file=${file}`, ...buildArgs, `--tag=${image}`, root)
  return image
}
