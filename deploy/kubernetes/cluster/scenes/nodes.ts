/** A node is drained, and then the same node is lost: process 1 is killed, as if its power was cut. */

import { books, type Scene, type Stage } from '../stage.ts'
import { checkSpread, crowdedDeployments } from './deployment.ts'

/** `node-monitor-grace-period` of the controllers, after which calls to its pods end. */
const noticedSeconds = 50
const slackSeconds = 20

export const nodes: Scene = {
  name: 'nodes',
  heading: 'Drain and loss of a node',
  async play(stage) {
    const { cluster } = stage
    const [, lost] = cluster.nodes
    const leave = await stage.customers()
    const drained = performance.now()
    await cluster.kubectl('drain', lost.name, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=4m')
    stage.took('drained', drained, 90)
    await cluster.kubectl('uncordon', lost.name)
    await spread(stage)
    await checkSpread(stage)
    stage.checkTally(await leave(), 5_000)

    const before = await total(stage)
    await lost.kill()
    const since = performance.now()
    await cluster.eventually('the node to be missed', async () => {
      const ready = '{.status.conditions[?(@.type=="Ready")].status}'
      if ((await cluster.kubectl('get', 'node', lost.name, '-o', `jsonpath=${ready}`)) !== 'Unknown')
        throw new Error('still ready')
    })
    stage.took('the loss is noticed', since, noticedSeconds + slackSeconds)
    let served = 0
    await cluster.eventually('ten answers in a row', async () => {
      const body = { bookid: books[0], userid: `lost-${Math.round(performance.now())}` }
      const headers = { prefer: 'wait=2' }
      const answer = await stage.call('ingress', 'reservation', '/reservations', {
        body,
        headers,
        seconds: 3,
      })
      served = answer.status === 201 && answer.body.includes('"Reserved"') ? served + 1 : 0
      if (served < 10) throw new Error(`${served} in a row`)
    })
    stage.took('every reservation is decided again', since, noticedSeconds + slackSeconds + 10)
    const kept = (await total(stage)) >= before
    stage.check('reservations in Postgres', kept ? 'all' : 'fewer than before', 'all', kept)
    await cluster.restart(lost)
    await cluster.kubectl('wait', '--for=condition=ready', 'node', lost.name, '--timeout=2m')
    await stage.kubectl('wait', '--for=condition=available', 'deployment', '--all', '--timeout=3m')
    stage.took('the node is back, with its pods', since, 240)
  },
}

/** As deploy/README.md says. The node that took all pods may have no room for the first new ones, so it can take two rounds. */
async function spread(stage: Stage): Promise<void> {
  for (let rounds = 0; rounds < 3; rounds++)
    for (const name of await crowdedDeployments(stage)) {
      await stage.kubectl('rollout', 'restart', `deployment/${name}`)
      await stage.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=4m')
    }
}

const total = async (stage: Stage) =>
  Object.values(await stage.reservations()).reduce((sum, count) => sum + count, 0)
