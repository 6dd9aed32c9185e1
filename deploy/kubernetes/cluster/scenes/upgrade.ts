/** An upgrade by the commands of deploy/README.md. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { root } from '../../../local/root.ts'
import { cache } from '../cache.ts'
import { namespace, type Stage } from '../stage.ts'
import { deployments, overlay } from './deployment.ts'

/** @param changes are what an overlay of `dev` adds to it. */
export async function upgrade(stage: Stage, changes: object): Promise<void> {
  await withOverlay({ resources: [overlay], namespace, ...changes }, async (dir) => {
    await stage.kubectl('delete', 'job', 'migrate', '--ignore-not-found')
    await stage.cluster.kubectl('apply', '-k', dir)
    for (const name of deployments)
      await stage.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=10m')
  })
}

type Kustomization = { resources: string[]; components?: string[]; [other: string]: unknown }

/** @param it names folders from the root of the repository. @param use gets a folder that exists only meanwhile. */
export async function withOverlay<Result>(
  { resources, components = [], ...others }: Kustomization,
  use: (dir: string) => Promise<Result>,
): Promise<Result> {
  const dir = await mkdtemp(join(cache, 'overlay-'))
  try {
    const within = (path: string) => relative(dir, join(root, path))
    const it = { ...others, resources: resources.map(within), components: components.map(within) }
    await writeFile(join(dir, 'kustomization.yaml'), JSON.stringify(it))
    return await use(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
