/** The images of the cluster, as archives that nodes import: none is pulled. */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { basesOf, build } from '../../container/image.ts'
import { podman, podmanEnv } from '../../container/podman.ts'
import { root } from '../../local/root.ts'
import { cached, sources } from './cache.ts'
import { run } from './commands.ts'

/** Our programs in one image: process 1 of pods, DNS, and metrics. */
export const clusterImage = 'localhost/bookreservation-cluster:1'
export const callerImage = 'localhost/bookreservation-caller:1'
export const kedaImage = 'localhost/bookreservation-keda:1'
export const traefikImage = 'localhost/bookreservation-traefik:1'
/** As `overlays/dev` names it. */
const ourName = 'localhost/bookreservation'
export const ourImage = `${ourName}:dev`
/** The same image as the version after it. */
export const next = { name: ourName, newTag: 'next' }

const base = 'localhost/bookreservation-stores'
const stores = { postgres: 'docker.io/library/postgres:18', redis: 'docker.io/library/redis:8.2' }

const sourcesOfStores = [
  'images/stores-base.sh',
  'images/postgres.Containerfile',
  'images/postgres-entrypoint.sh',
  'images/redis.Containerfile',
]

/** @returns an archive of Postgres, Redis, Prometheus and Alertmanager. */
export const buildStores = (): Promise<string> =>
  cached('stores.tar', sourcesOfStores, async (archive) => {
    const saying = 'Building the images of the stores from Debian: about 5 minutes'
    await run(join(sources, 'images/stores-base.sh'), [base], {
      saying,
      env: { ...process.env, ...podmanEnv },
    })
    for (const [name, tag] of Object.entries(stores)) {
      const file = join(sources, 'images', `${name}.Containerfile`)
      const args = [
        '--format=docker',
        '--quiet',
        `--build-arg=BASE=${base}`,
        `--file=${file}`,
        `--tag=${tag}`,
      ]
      await podman('build', ...args, join(sources, 'images'))
    }
    await podman(
      'save',
      '--quiet',
      '--multi-image-archive',
      '--output',
      archive,
      base,
      ...Object.values(stores),
    )
  })

/** @returns an archive of the programs that run in pods. */
export const buildClusterImage = (programs: string): Promise<string> =>
  cached('cluster.tar', ['programs'], (archive) =>
    packPrograms(programs, ['pause', 'coredns', 'metrics-server'], clusterImage, archive),
  )

/** kind has its own programs, except for metrics. */
export const buildMetricsImage = (programs: string): Promise<string> =>
  cached('metrics.tar', ['programs'], (archive) =>
    packPrograms(programs, ['metrics-server'], clusterImage, archive),
  )

/** @returns an archive of KEDA. */
export const buildKedaImage = (keda: string): Promise<string> =>
  cached('keda.tar', ['keda'], (archive) => packPrograms(keda, ['keda', 'keda-adapter'], kedaImage, archive))

/** @returns an archive of Traefik. */
export const buildTraefikImage = (traefik: string): Promise<string> =>
  cached('traefik.tar', ['traefik'], (archive) => packPrograms(traefik, ['traefik'], traefikImage, archive))

/** An image of nothing but programs. The first of them is started. */
async function packPrograms(from: string, names: string[], image: string, archive: string): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-programs-'))
  try {
    await mkdir(join(dir, 'tmp'))
    for (const name of names) await cp(join(from, name), join(dir, name))
    await run('tar', ['-C', dir, '-cf', `${dir}.tar`, '.'])
    const changes = [`ENTRYPOINT ["/${names[0]}"]`, 'USER 65535:65535'].flatMap((it) => ['--change', it])
    await podman('import', '--quiet', ...changes, `${dir}.tar`, image)
    await podman('save', '--quiet', '--output', archive, image)
  } finally {
    for (const it of [dir, `${dir}.tar`]) await rm(it, { recursive: true, force: true })
  }
}

/** The callers' programs, by their paths in the repository. */
const callers = [
  'deploy/kubernetes/cluster/callers/call.ts',
  'deploy/kubernetes/cluster/callers/customers.ts',
  'load/bench/closed-loop.ts',
  'load/bench/http-connection.ts',
]

/** Call it after `buildOurs`. @param archive is written. @param k6 is the program, if a scene needs it. */
export async function buildCallerImage(archive: string, k6?: string): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-callers-'))
  try {
    const files = join(dir, 'files')
    for (const it of callers) await cp(join(root, it), join(files, 'app', it))
    if (k6) await cp(k6, join(files, 'k6'))
    const file = join(sources, 'images/caller.Containerfile')
    const args = ['--quiet', `--build-arg=BASE=${ourImage}`, `--file=${file}`, `--tag=${callerImage}`]
    await podman('build', ...args, dir)
    await rm(archive, { force: true })
    await podman('save', '--quiet', '--output', archive, callerImage)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Builds the image of this repository by its own Containerfile, and the version after it. @param archive is written. */
export async function buildOurs(archive: string): Promise<void> {
  console.log(`Building ${ourImage} …`)
  const image = await build('node', await basesOf(process.env))
  await podman('tag', image, ourImage)
  const after = `${next.name}:${next.newTag}`
  const file = join(sources, 'images/next.Containerfile')
  const args = ['--quiet', `--build-arg=BASE=${ourImage}`, `--file=${file}`, `--tag=${after}`]
  await podman('build', ...args, join(sources, 'images'))
  await rm(archive, { force: true })
  await podman('save', '--quiet', '--multi-image-archive', '--output', archive, ourImage, after)
}
