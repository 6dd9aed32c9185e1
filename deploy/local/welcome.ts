import { relative } from 'node:path'
import { type ProcessName, serviceNames } from '../../platform/config.ts'
import { isLoopback } from './address.ts'
import { people } from './identity/people.ts'
import { findProgram } from './processes/program.ts'
import { inspectHost, type Service } from './service.ts'
import type { Settings } from './settings.ts'

/**
 * URLs and first commands, printed when everything is ready.
 * @param provider whether people log in at the provider of `--identity`.
 */
export function welcome(processes: Service[], settings: Settings, provider = false): string {
  const pages = processes.find(({ name }) => name === 'web')
  const services = processes.filter((it) => it !== pages)
  const lines = services.map(({ name, url, opsUrl }) => `  ${name.padEnd(12)} ${url}   ${opsUrl}/docs`)
  const urlOf = (name: ProcessName) => services.find((it) => it.name === name)?.url
  const [reservation, stock] = [urlOf('reservation'), urlOf('stock')]
  const commands =
    reservation && stock
      ? `Try this in another terminal:\n\n${firstCommands(reservation, stock, settings.identity)
          .map((line) => `  ${line}`)
          .join('\n')}\n\n`
      : ''
  const data = settings.databaseUrl && settings.redisUrl ? '' : ` The data is in ${folder(settings.dataDir)}.`
  const reach = isLoopback(settings.host)
    ? ' Only this machine can reach it; HOST=0.0.0.0 npm start lets the network in.'
    : ''
  const known = provider
    ? ` Log in as ${people.map(({ userid, role }) => `${userid} (${role})`).join(', ')}; there are no passwords.`
    : ''
  const open = pages ? `Open ${pages.url} in a browser.${known}\n\n` : ''
  const heading = services.length === serviceNames.length ? 'The three services are ready' : 'Ready'
  return `
${open}${heading}:

${lines.join('\n')}

${inspector(settings)}${commands}Ctrl-C stops everything.${data}${reach}
`
}

function inspector({ inspect }: Settings): string {
  if (!inspect) return ''
  const { service, port } = inspect
  return `A debugger can attach to ${service} at ${inspectHost}:${port}: "Attach" in VS Code, or chrome://inspect in Chrome.\n\n`
}

function firstCommands(reservation: string, stock: string, identity: boolean): string[] {
  const tokens = identity ? [tokenOf('STAFF', '--role stock-manager'), tokenOf('MINA', '--userid mina')] : []
  const userid = identity ? 'mina' : 'test1'
  if (findProgram('http')) {
    const as = (name: string) => (identity ? ` -A bearer -a $${name}` : '')
    return [
      ...tokens,
      `http${as('STAFF')} POST ${stock}/stocks bookid=1 qty=3`,
      `http${as('MINA')} POST ${reservation}/reservations Prefer:wait=5 bookid=1 userid=${userid}`,
      `http${as('STAFF')} GET ${stock}/stocks/1`,
    ]
  }
  const as = (name: string) => (identity ? [`authorization: Bearer $${name}`] : [])
  // In double quotes, because the shell puts in the token.
  const post = (url: string, body: object, ...headers: string[]) =>
    ['curl', url, ...['content-type: application/json', ...headers].map((it) => `-H "${it}"`)].join(' ') +
    ` -d '${JSON.stringify(body)}'`
  return [
    ...tokens,
    post(`${stock}/stocks`, { bookid: '1', qty: 3 }, ...as('STAFF')),
    post(`${reservation}/reservations`, { bookid: '1', userid }, 'prefer: wait=5', ...as('MINA')),
    ['curl', `${stock}/stocks/1`, ...as('STAFF').map((it) => `-H "${it}"`)].join(' '),
  ]
}

const tokenOf = (name: string, options: string) => `${name}=$(npm run --silent token -- ${options})`

const folder = (path: string): string => {
  const near = relative(process.cwd(), path)
  return near.startsWith('..') ? path : near
}
