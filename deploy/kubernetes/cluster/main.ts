/**
 * `npm run cluster:test`: starts a real Kubernetes of two nodes on this machine, deploys `overlays/dev`, and plays scenes, each with
 * its threshold. `npm run cluster` starts one to play with.
 */
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { findK6 } from '../../../load/k6/run/k6.ts'
import { cache } from './cache.ts'
import { Cluster } from './cluster.ts'
import { leaving } from './commands.ts'
import {
  buildCallerImage,
  buildClusterImage,
  buildKedaImage,
  buildMetricsImage,
  buildOurs,
  buildStores,
  buildTraefikImage,
} from './images.ts'
import { Kind } from './kind.ts'
import type { Kubernetes } from './kubernetes.ts'
import { newFolder, remainsOf, removeLeftovers } from './leftovers.ts'
import { faultsOfMachine } from './machine.ts'
import { buildK6, buildKeda, buildMetrics, buildPrograms, buildTraefik } from './programs.ts'
import { again } from './scenes/again.ts'
import { autoscaling } from './scenes/autoscaling.ts'
import { calls } from './scenes/calls.ts'
import { deployment } from './scenes/deployment.ts'
import { healing } from './scenes/healing.ts'
import { identity } from './scenes/identity.ts'
import { keda } from './scenes/keda.ts'
import { monitoring } from './scenes/monitoring.ts'
import { nodes } from './scenes/nodes.ts'
import { redeploy } from './scenes/redeploy.ts'
import { restore } from './scenes/restore.ts'
import { rotation } from './scenes/rotation.ts'
import { routes } from './scenes/routes.ts'
import { strangers } from './scenes/strangers.ts'
import { volumes } from './scenes/volumes.ts'
import { type Extras, type Scene, Stage, tableOf } from './stage.ts'

/** The first is always played: the others need what it deploys. */
const scenes: [Scene, ...Scene[]] = [
  deployment,
  calls,
  strangers,
  again,
  healing,
  redeploy,
  autoscaling,
  volumes,
  rotation,
  restore,
  monitoring,
  nodes,
  keda,
  routes,
  identity,
]
/** Its Prometheus and Alertmanager come from Debian, with the stores, which kind pulls. */
const notOnKind: Scene[] = [monitoring]

const width = Math.max(...scenes.map(({ name }) => name.length))
const help = `A real Kubernetes of two nodes on this machine: API server, kubelets, containerd, DNS, metrics, enforced policies.

  npm run cluster              starts one, and prints how to use it; Ctrl-C ends it
  npm run cluster:test         starts one, deploys overlays/dev, and plays every scene
  npm run cluster:test -- --only healing,volumes
  npm run cluster:test -- --kind         the same on kind, with Docker, but without \`monitoring\`

Scenes:
${scenes.map(({ name, heading }) => `  ${name.padEnd(width)}  ${heading}`).join('\n')}

It needs Linux on x64 with cgroups of version 1, root, Go, podman, debootstrap and 12 GB of disk. The first run builds Kubernetes, KEDA,
Traefik, k6 and images, which takes more than half an hour on two cores; they are kept in ${cache}.
The nodes are namespaces: nothing of them is reachable from outside, and nothing is left when they end.`

async function start(kind: boolean, extras?: Extras): Promise<Kubernetes> {
  await removeLeftovers()
  const bin = kind ? await buildMetrics() : await buildPrograms()
  const archives = kind ? [await buildMetricsImage(bin)] : [await buildClusterImage(bin), await buildStores()]
  archives.push(join(cache, 'ours.tar'))
  await buildOurs(archives.at(-1)!)
  if (extras) {
    if (extras.keda) archives.push(await buildKedaImage(extras.keda))
    if (extras.traefik) archives.push(await buildTraefikImage(extras.traefik))
    archives.push(join(cache, 'callers.tar'))
    await buildCallerImage(archives.at(-1)!, extras.k6)
  }
  console.log('Starting two nodes …')
  const since = performance.now()
  const dir = await newFolder()
  const cluster = kind ? await Kind.start({ archives, dir }) : await Cluster.start({ bin, archives, dir })
  console.log(`  ready after ${Math.round((performance.now() - since) / 1000)} s`)
  return cluster
}

/** Ctrl-C ends the cluster, too. */
function endOnSignal(cluster: Kubernetes): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, async () => {
      leaving.abort()
      await cluster[Symbol.asyncDispose]()
      process.exit(1)
    })
}

async function play(chosen: Scene[], kind: boolean): Promise<boolean> {
  const needed = (it: keyof Extras) => chosen.some(({ needs }) => needs === it)
  const extras: Extras = {
    k6: needed('k6') ? (findK6() ?? (await buildK6())) : undefined,
    keda: needed('keda') ? await buildKeda() : undefined,
    traefik: needed('traefik') ? await buildTraefik() : undefined,
  }
  const cluster = await start(kind, extras)
  endOnSignal(cluster)
  const stage = new Stage(cluster, extras)
  try {
    await stage.placeCallers()
    for (const scene of chosen) if (!(await playOne(scene, stage))) break
  } finally {
    await cluster[Symbol.asyncDispose]()
  }
  stage.scene = 'end'
  const left = await remainsOf(dirname(cluster.kubeconfig))
  stage.check('files, cgroups and processes that are left', left.join() || 'none', 'none', left.length === 0)
  console.log(`\n${tableOf(stage.rows)}`)
  return stage.rows.every(({ holds }) => holds)
}

/** @returns whether others can follow. */
async function playOne(scene: Scene, stage: Stage): Promise<boolean> {
  console.log(`\n▶ ${scene.heading}`)
  stage.scene = scene.name
  try {
    await scene.play(stage)
  } catch (error) {
    stage.check('played to its end', (error as Error).message.slice(0, 60), 'no error', false)
    console.error(error)
    return scene !== scenes[0]
  } finally {
    stage.sendHome()
  }
  return true
}

async function keep(kind: boolean): Promise<void> {
  await using cluster = await start(kind)
  console.log(`
export KUBECONFIG=${cluster.kubeconfig}
kubectl apply -k deploy/kubernetes/overlays/dev     # the images are there

Ctrl-C ends it, and deletes everything.`)
  await new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve)
  })
}

async function main(): Promise<void> {
  const options = {
    test: { type: 'boolean' },
    only: { type: 'string' },
    kind: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h' },
  } as const
  const { test, only, kind, help: asked } = parseArgs({ options }).values
  if (asked) return console.log(help)
  const possible = scenes.filter((it) => !kind || !notOnKind.includes(it))
  const names = only?.split(',') ?? possible.map(({ name }) => name)
  const unknown = names.filter((it) => !possible.some(({ name }) => name === it))
  if (unknown.length > 0) throw new Error(`There is no scene ${unknown.join(', ')}. See --help`)
  const faults = faultsOfMachine(kind)
  if (faults.length > 0) throw new Error(`Cannot run a cluster on this machine.\n${faults.join('\n')}`)
  if (!test) return await keep(kind)
  const chosen = scenes.filter((it) => it === scenes[0] || names.includes(it.name))
  if (!(await play(chosen, kind))) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
