/** Customers and staff come through a controller: with `components/ingress` as in `dev` and as in `prod`, and with `components/gateway`. */
import type { Address } from '../callers/customers.ts'
import { namespace, type Scene, type Stage } from '../stage.ts'
import { overlay } from './deployment.ts'
import { addressOf, openGateways, removeTraefik, startTraefik } from './traefik.ts'
import { upgrade, withOverlay } from './upgrade.ts'

/** Of both components. */
const host = 'bookreservation.example'
const least = 5_000
/** Longer than common time limits, and than four heartbeats. */
const streamSeconds = 65
const heartbeats = 4

/** Refused means: by the controller, which has no route. */
type Asked = { path: string; body?: object; headers?: Record<string, string>; wanted: number | 'refused' }
type Doors = { customers: Address; staff: Address }

const receipt = { bookid: 'routes', qty: 100, title: 'Routes' }
const reservation = { bookid: receipt.bookid, userid: 'ann' }

const answered = (path: string): Asked => ({ path, wanted: 200 })
/** A page, with the choice of who one is. */
const page = (path: string, as: string): Asked => ({ path, headers: { cookie: `as=${as}` }, wanted: 200 })

const forCustomers: Asked[] = [
  { path: '/reservations', body: reservation, wanted: 201 },
  ...['/reservations?userid=ann', '/books?limit=1', '/problems/unavailable'].map(answered),
  ...['/', '/book/routes', '/as', '/robots.txt'].map(answered),
  page('/me', 'customer:ann'),
]
const forStaff: Asked[] = [
  { path: '/stocks', body: receipt, wanted: 201 },
  ...['/stocks/routes', '/purchases', '/purchase-requests', '/closing-days', '/standings/ann'].map(answered),
  ...['/tasks?kind=pull', '/'].map(answered),
  page('/desk', 'stock-manager:sam'),
  page('/ops', 'operator:olga'),
]
/** Calls of operators, which every service has. At the entry of staff, the pages have none of them. */
const forNobody = ['/dead-letters', '/partitions', '/backlog', '/audit?reason=none']

const closedToCustomers: Asked[] = [...forStaff.map(({ path }) => path), ...forNobody]
  .filter((path) => path !== '/')
  .concat('/readyz')
  .map((path) => ({ path, wanted: 'refused' }))

export const routes: Scene = {
  name: 'routes',
  heading: 'Routes from outside: ingress and gateway',
  needs: 'traefik',
  async play(stage) {
    try {
      const since = performance.now()
      await startTraefik(stage)
      stage.took('Traefik is available, for customers and for staff', since, 120)

      const any = await addressOf(stage, 'public')
      const inDev = () => stage.cluster.kubectl('apply', '-k', overlay)
      await change(stage, 'ingress, as in dev', { customers: any, staff: any }, inDev)
      await answers(stage, 'ingress, as in dev: all at one entry', any, [...forStaff, ...forCustomers])

      const doors = {
        customers: await addressOf(stage, 'public', host),
        staff: await addressOf(stage, 'internal', host),
      }
      for (const component of ['ingress', 'gateway']) {
        await change(stage, component, doors, async () => {
          if (component === 'gateway') await openGateways(stage)
          const only = { resources: [], components: [`deploy/kubernetes/components/${component}`], namespace }
          await withOverlay(only, (dir) => stage.cluster.kubectl('apply', '-k', dir))
        })
        if (component === 'gateway') await checkAccepted(stage)
        await checkRoutes(stage, component, doors)
        await checkRollouts(stage, component, doors)
      }
    } finally {
      await removeTraefik(stage)
      await upgrade(stage, {})
    }
  },
}

/** Replaces the routes that there are. */
async function change(
  stage: Stage,
  what: string,
  { customers, staff }: Doors,
  apply: () => Promise<unknown>,
): Promise<void> {
  const both = (wanted: Asked['wanted']) =>
    stage.cluster.eventually(`${what}: ${wanted}`, async () => {
      const found = [
        await isAnswered(stage, customers, { path: '/robots.txt', wanted }),
        await isAnswered(stage, staff, { path: '/stocks?limit=1', wanted }),
      ]
      if (found.includes(false)) throw new Error('not yet')
    })
  await stage.kubectl('delete', 'ingress', '--all')
  await both('refused')
  const since = performance.now()
  await apply()
  await both(200)
  stage.took(`${what}: served`, since, 30)
}

async function checkRoutes(stage: Stage, component: string, { customers, staff }: Doors): Promise<void> {
  await answers(stage, `${component}: what staff may`, staff, forStaff)
  const atPages = forNobody.map((path) => ({ path, wanted: 404 }))
  await answers(stage, `${component}: what staff get a page of 404 for`, staff, atPages)
  const [heard] = await Promise.all([
    follow(stage, customers),
    answers(stage, `${component}: what customers may`, customers, forCustomers),
    answers(stage, `${component}: what is refused to customers`, customers, closedToCustomers),
  ])
  const beats = heard.match(/: still here/g)?.length ?? 0
  const what = `${component}: heartbeats of a stream in ${streamSeconds} s`
  stage.check(what, beats, `${heartbeats} or more`, beats >= heartbeats)
}

/** @returns what a customer hears who follows a reservation. */
async function follow(stage: Stage, customers: Address): Promise<string> {
  const body = reservation
  const waiting = { body, headers: { prefer: 'wait=5' } }
  const made = await stage.call('ingress', customers, '/reservations', waiting)
  const { reservationid } = JSON.parse(made.body) as { reservationid: string }
  const asked = { seconds: streamSeconds, stream: true }
  return (await stage.call('ingress', customers, `/reservations/${reservationid}/events`, asked)).body
}

/** A row for the answers. */
async function answers(stage: Stage, what: string, to: Address, all: Asked[]): Promise<void> {
  let right = 0
  for (const it of all) if (await isAnswered(stage, to, it, console.log)) right++
  stage.check(what, `${right} of ${all.length}`, 'all', right === all.length)
}

async function isAnswered(
  stage: Stage,
  to: Address,
  { path, wanted, ...asked }: Asked,
  complain?: (line: string) => void,
): Promise<boolean> {
  const answer = await stage.call('ingress', to, path, asked)
  const refused = answer.status === 404 && answer.body === '404 page not found\n'
  const right = wanted === 'refused' ? refused : !refused && answer.status === wanted
  if (!right) complain?.(`    ${path}: ${answer.status} ${answer.body.slice(0, 200)}`)
  return right
}

type HttpRoute = {
  metadata: { name: string }
  status: { parents: { conditions: { type: string; status: string }[] }[] }
}

async function checkAccepted(stage: Stage): Promise<void> {
  const { items } = await stage.json<{ items: HttpRoute[] }>('httproutes')
  const accepted = items.filter(({ status }) =>
    ['Accepted', 'ResolvedRefs'].every((type) =>
      status.parents.every(({ conditions }) =>
        conditions.some((it) => it.type === type && it.status === 'True'),
      ),
    ),
  )
  const names = accepted.map(({ metadata }) => metadata.name).join()
  stage.check(
    'HTTPRoutes that are accepted, with all references',
    names,
    'customers,staff',
    names === 'customers,staff',
  )
}

/** Pods are replaced behind the controller while customers and staff ask. */
async function checkRollouts(stage: Stage, component: string, { customers, staff }: Doors): Promise<void> {
  const leave = await stage.customers(1, least, { reservation: customers, web: customers, stock: staff })
  const since = performance.now()
  for (const name of ['reservation', 'web', 'stock']) {
    await stage.kubectl('rollout', 'restart', `deployment/${name}`)
    await stage.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=4m')
  }
  stage.took(`${component}: every pod behind it replaced`, since, 180)
  stage.checkTally(await leave(), least)
}
