/** Every rule holds in every overlay, and every rule detects its breach. */
import { beforeAll, expect, test } from 'vitest'
import { gateway, type Manifest, render } from './render.ts'
import { life } from './rules/life.ts'
import { network } from './rules/network.ts'
import { pods } from './rules/pods.ts'
import { routesOf, routing } from './rules/routes.ts'
import { scaling } from './rules/scaling.ts'
import { secrets } from './rules/secrets.ts'

const rules = [...pods, ...life, ...scaling, ...secrets, ...network, ...routing]
const overlays = ['overlays/dev', 'overlays/prod']
const withGateway = 'overlays/prod, with the Gateway API'
const deployed = [...overlays, withGateway]

const rendered = new Map<string, Manifest[]>()
beforeAll(async () => {
  for (const overlay of overlays) rendered.set(overlay, await render(overlay))
  const others = rendered.get('overlays/prod')!.filter(({ kind }) => kind !== 'Ingress')
  rendered.set(withGateway, [...others, ...(await render(gateway))])
})

test.for(rules.map((rule) => [rule.claim, rule] as const))('%s', ([, { faults, breach }]) => {
  for (const overlay of deployed) expect(faults(rendered.get(overlay)!), overlay).toEqual([])

  const broken = structuredClone(rendered.get('overlays/prod')!)
  breach(broken)
  expect(faults(broken), 'the rule does not detect its breach').not.toEqual([])
})

test('the Gateway API routes what the Ingresses route, to the same ports', () => {
  const routes = routesOf(rendered.get(withGateway)!)
  expect(routes.length).toBeGreaterThan(4)
  expect(routes).toEqual(routesOf(rendered.get('overlays/prod')!))
})
