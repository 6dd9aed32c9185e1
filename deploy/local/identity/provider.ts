/**
 * A real OpenID provider for this machine, as a process of its own. Four people can log in, each with one click and no password, so it is
 * for trials and tests alone. Its state is in memory: after a restart it asks again who you are; sessions of the pages go on.
 *
 * Environment: PORT, HOST, CLIENT_SECRET, PAGES_URL, and KEY_FILE, where its signing key is kept. It prints `listening`.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import Provider, { type Configuration, type JWK } from 'oidc-provider'
import { clientId, people } from './people.ts'

const { PORT, HOST = '127.0.0.1', CLIENT_SECRET, PAGES_URL, KEY_FILE } = process.env
const issuer = `http://localhost:${PORT}`

/** Kept over a restart, so that ID tokens of sessions that go on are known when their people log out. */
function signingKey(): JWK {
  const fresh = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
  if (!KEY_FILE) return fresh() as JWK
  if (!existsSync(KEY_FILE)) writeFileSync(KEY_FILE, JSON.stringify(fresh()), { mode: 0o600 })
  return JSON.parse(readFileSync(KEY_FILE, 'utf8')) as JWK
}

const configuration: Configuration = {
  clients: [
    {
      client_id: clientId,
      client_secret: CLIENT_SECRET!,
      redirect_uris: [`${PAGES_URL}/callback`],
      post_logout_redirect_uris: [`${PAGES_URL}/logged-out`],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    },
  ],
  jwks: { keys: [{ ...signingKey(), alg: 'RS256', use: 'sig' }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  claims: { openid: ['sub', 'roles'] },
  // The pages read the ID token.
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    rpInitiatedLogout: {
      enabled: true,
      // The pages have asked before.
      logoutSource(context, form) {
        context.body = pageOf(
          'Log out',
          `${form}<p><button form="op.logoutForm" name="logout" value="yes">Log out of this computer</button></p>`,
        )
      },
    },
  },
  interactions: { url: (_, { uid }) => `/people/${uid}` },
  ttl: { AccessToken: 300, IdToken: 300, Interaction: 600, Grant: 86_400, Session: 86_400 },
  findAccount: (_, id) => {
    const person = people.find(({ userid }) => userid === id)
    return person && { accountId: id, claims: () => ({ sub: id, roles: [person.role] }) }
  },
  // One client, which may have all that it asks for.
  async loadExistingGrant({ oidc }) {
    const { provider, session, client } = oidc
    const grant = new provider.Grant({ accountId: session!.accountId!, clientId: client!.clientId })
    grant.addOIDCScope('openid')
    await grant.save()
    return grant
  },
}

const provider = new Provider(issuer, configuration)
const answer = provider.callback()

const server = createServer((request, response) => {
  const path = new URL(request.url ?? '/', issuer).pathname
  if (!path.startsWith('/people/')) return void answer(request, response)
  choose(request, response).catch(() => {
    // The interaction is over, or was never begun.
    response
      .writeHead(400, { 'content-type': 'text/html' })
      .end(pageOf('Begin again', `<p>Go back to <a href="${PAGES_URL}">the pages</a>.</p>`))
  })
})
server.listen(Number(PORT), HOST)
await once(server, 'listening')
console.log('listening')
for (const signal of ['SIGTERM', 'SIGINT'])
  process.on(signal, () => {
    server.close()
    server.closeAllConnections()
  })

/** Shows the four people, or logs in the person who was chosen. */
async function choose(request: IncomingMessage, response: ServerResponse): Promise<void> {
  await provider.interactionDetails(request, response)
  if (request.method === 'POST') {
    const chosen = new URL(request.url!, issuer).searchParams.get('as')
    const person = people.find(({ userid }) => userid === chosen)
    if (!person) throw new Error('There is no such person')
    await provider.interactionFinished(request, response, { login: { accountId: person.userid } })
    return
  }
  const buttons = people.map(
    ({ userid, role }) =>
      `<form method="post" action="?as=${userid}"><button>${userid}</button> ${role.replace('-', ' ')}</form>`,
  )
  response
    .writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
    .end(
      pageOf('Who are you?', `<p>This provider is for trials: no password is needed.</p>${buttons.join('')}`),
    )
}

function pageOf(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<body style="font: 1.1rem/1.6 sans-serif; max-width: 30rem; margin: 3rem auto; padding: 0 1rem"><h1>${title}</h1>${body}</body></html>`
}
