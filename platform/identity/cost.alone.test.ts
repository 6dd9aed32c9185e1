/** The CPU time that identity adds to a request: whose token was verified before, and whose token is new. */
import { Context } from 'hono'
import { expect, test } from 'vitest'
import { Guard } from './guard.ts'
import { audience, issuerName, TestIssuer } from './testing.ts'
import { Tokens } from './tokens.ts'

/** A reservation costs the reservation service 141 µs of CPU (docs/capacity.md), of which this is 5 %. */
const limitUs = 7
const customers = 500
const newTokens = 1_100
/** Generous: what it costs depends on the machine, and each token pays once. */
const newLimitUs = 5_000
const requestsEach = 200

test('the CPU time of a remembered token is below 5 % of that of a reservation', async () => {
  await using issuer = await TestIssuer.start()
  const tokens = new Tokens({ issuers: [{ name: issuerName, keysUrl: issuer.url }], audience, apiTokens: [] })
  const admit = new Guard({ tokens, forwardedHops: 1 }).admitting(['customer', 'stock-manager'])
  const contexts: Context[] = []
  for (let i = 0; i < customers; i++) {
    const token = await issuer.token({ sub: crypto.randomUUID(), userid: `u${i}`, roles: ['customer'] })
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'user-agent': 'a browser',
    }
    contexts.push(new Context(new Request('http://localhost/reservations', { headers })))
  }
  for (const c of contexts) await admit(c)
  const spent = []
  for (let round = 0; round < requestsEach / 20; round++) {
    const before = process.cpuUsage()
    for (let i = 0; i < 20; i++) for (const c of contexts) expectAtOnce(admit(c))
    const { user, system } = process.cpuUsage(before)
    spent.push((user + system) / (20 * customers))
  }
  const median = spent.sort((a, b) => a - b)[Math.floor(spent.length / 2)]!
  console.log(`${median.toFixed(2)} µs of CPU per request`)
  expect(median).toBeLessThan(limitUs)
})

/** A signature of RSA is the cheapest to check. */
test.each(['EdDSA', 'ES256', 'RS256'])(
  'a token that is new costs the check of its signature: %s',
  async (alg) => {
    await using issuer = await TestIssuer.start(alg)
    const tokens = new Tokens({
      issuers: [{ name: issuerName, keysUrl: issuer.url }],
      audience,
      apiTokens: [],
    })
    const given = await Promise.all(
      Array.from({ length: newTokens }, (_, i) => issuer.token({ userid: `u${i}` }, { alg })),
    )
    for (const token of given.splice(0, 100)) await tokens.verify(token)
    const before = process.cpuUsage()
    for (const token of given) await tokens.verify(token)
    const { user, system } = process.cpuUsage(before)
    const each = (user + system) / given.length
    console.log(`${alg}: ${each.toFixed(0)} µs of CPU per new token`)
    expect(each).toBeLessThan(newLimitUs)
  },
)

/** Without a promise, which would mean that the token is verified again. */
function expectAtOnce(result: undefined | Promise<void>): void {
  if (result !== undefined) throw new Error('The token is not remembered')
}
