/** The rules: valid, each alert tested, explained in the runbook, and the same on Kubernetes. */
import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { root } from '../local/root.ts'
import { alertsIn, ruleFiles, rulesIn, ruleTests, run } from './testing/rules.ts'

const files = ruleFiles()
const alerts = files.flatMap(alertsIn)
const names = alerts.map((it) => it.alert)

test('the rules are valid', () => {
  expect(run('promtool', 'check', 'rules', ...files)).not.toContain('FAILED')
})

test.each(ruleTests().map((it) => [basename(it), it]))('%s holds', (_, file) => {
  expect(run('promtool', 'test', 'rules', file)).toContain('SUCCESS')
})

type RuleTest = {
  tests: {
    promql_expr_test?: { expr: string; exp_samples: { labels: string }[] }[]
    alert_rule_test?: { alertname: string; exp_alerts: unknown[] }[]
  }[]
}

/** The expectations of the tests about an alert, which they name or match by a pattern. */
const expectations = ruleTests()
  .map((it) => parse(readFileSync(it, 'utf8')) as RuleTest)
  .flatMap((it) => it.tests)
  .flatMap(({ promql_expr_test = [], alert_rule_test = [] }) => [
    ...promql_expr_test.map(({ expr, exp_samples }) => ({
      of: expr.match(/alertname=~?"(.*?)"/)?.[1] ?? '',
      fires: exp_samples.some(({ labels }) => labels.includes('alertstate="firing"')),
    })),
    ...alert_rule_test.map(({ alertname, exp_alerts }) => ({ of: alertname, fires: exp_alerts.length > 0 })),
  ])

test.each(names)('%s has a test in which it fires, and one in which it does not', (name) => {
  const own = expectations.filter(({ of }) => new RegExp(`^(${of})$`).test(name))
  expect(own.some((it) => it.fires)).toBe(true)
  // The watchdog always fires.
  expect(own.some((it) => !it.fires)).toBe(name !== 'Watchdog')
})

test.each(alerts.map((it) => [it.alert, it] as const))(
  '%s has a severity, a summary, a description and its section of the runbook',
  (_, it) => {
    expect(['critical', 'warning', 'none']).toContain(it.labels.severity)
    expect(Object.keys(it.annotations).sort()).toEqual(['description', 'runbook_url', 'summary'])
    expect(it.annotations.runbook_url).toBe(
      `https://bookreservation.example/docs/runbook.md#${it.alert.toLowerCase()}`,
    )
  },
)

test('the runbook has a section for each alert, and no other', () => {
  const runbook = readFileSync(join(root, 'docs/runbook.md'), 'utf8')
  const sections = [...runbook.matchAll(/^### (\w+)$/gm)].map(([, name]) => name!)
  expect(sections.toSorted()).toEqual(names.toSorted())
  for (const section of runbook.split(/^### /m).slice(1))
    for (const part of ['**Symptom.**', '**Meaning.**', '**What to do.**'])
      expect(section, section.split('\n')[0]).toContain(part)
})

test('every log line that the runbook looks for is logged', async () => {
  const runbook = readFileSync(join(root, 'docs/runbook.md'), 'utf8').replaceAll(/\s+/g, ' ')
  // Alertmanager logs one of them itself.
  const wanted = [...runbook.matchAll(/(?<!-v )grep '([^']+)'/g)]
    .map(([, it]) => it!)
    .filter((it) => !it.startsWith('Notify for alerts'))
  expect(wanted.length).toBeGreaterThan(5)
  const files = await Array.fromAsync(glob('{actors,platform,streams}/**/*.ts', { cwd: root }))
  const sources = files.filter((it) => !/test/.test(it)).map((it) => readFileSync(join(root, it), 'utf8'))
  expect(wanted.filter((line) => !sources.some((it) => it.includes(line)))).toEqual([])
})

/** The operator's kind, which holds what Prometheus reads from a file. */
const prometheusRule = (file: string) => `apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ${basename(file, '.yaml')}
  labels:
    app.kubernetes.io/name: ${basename(file, '.yaml')}
    app.kubernetes.io/part-of: bookreservation
    app.kubernetes.io/component: monitoring
spec:
${readFileSync(file, 'utf8').replaceAll(/^(?=.)/gm, '  ')}`

// After a change: npx vitest run deploy/monitoring -u
test('the rules of the cluster are generated from these', async () => {
  const head = '# Generated from deploy/monitoring/rules: npx vitest run deploy/monitoring -u\n'
  const manifest = join(root, 'deploy/kubernetes/components/monitoring/rules.yaml')
  await expect(head + files.map(prometheusRule).join('---\n')).toMatchFileSnapshot(manifest)
})

test('every recorded series is queried', () => {
  const rules = files.flatMap(rulesIn)
  const asked = rules.map((it) => it.expr).join('\n')
  for (const rule of rules) if ('record' in rule) expect(asked).toContain(rule.record)
})
