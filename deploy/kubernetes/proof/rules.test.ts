/** Every rule holds in every overlay, and every rule detects its breach. */
import { beforeAll, expect, test } from 'vitest'
import { type Manifest, render } from './render.ts'
import { life } from './rules/life.ts'
import { network } from './rules/network.ts'
import { pods } from './rules/pods.ts'
import { scaling } from './rules/scaling.ts'
import { secrets } from './rules/secrets.ts'

const rules = [...pods, ...life, ...scaling, ...secrets, ...network]
const deployed = ['overlays/dev', 'overlays/prod'] as const

const rendered = new Map<string, Manifest[]>()
beforeAll(async () => {
  for (const overlay of deployed) rendered.set(overlay, await render(overlay))
})

test.for(rules.map((rule) => [rule.claim, rule] as const))('%s', ([, { faults, breach }]) => {
  for (const overlay of deployed) expect(faults(rendered.get(overlay)!), overlay).toEqual([])

  const broken = structuredClone(rendered.get('overlays/prod')!)
  breach(broken)
  expect(faults(broken), 'the rule does not detect its breach').not.toEqual([])
})
