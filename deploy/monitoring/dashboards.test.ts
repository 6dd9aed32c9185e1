/** The JSON that Grafana reads is generated from the dashboards written here. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import business from './dashboards/business.ts'
import runtime from './dashboards/runtime.ts'
import { monitoring } from './testing/rules.ts'

// After a change: npx vitest run deploy/monitoring -u
test.each([
  { name: 'business', model: business },
  { name: 'runtime', model: runtime },
])('$name.json is generated from $name.ts', async ({ name, model }) => {
  await expect(model).toMatchFileSnapshot(join(monitoring, `dashboards/${name}.json`))
})
