/** The rules: valid, each alert tried out, explained in the runbook, and on Kubernetes the same. */
import { readFileSync } from 'node:fs'
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

/** What the tests say of an alert: of its name, or of a pattern that names it. */
const sayings = ruleTests()
  .map((it) => parse(readFileSync(it, 'utf8')) as RuleTest)
  .flatMap((it) => it.tests)
  .flatMap(({ promql_expr_test = [], alert_rule_test = [] }) => [
    ...promql_expr_test.map(({ expr, exp_samples }) => ({
      of: expr.match(/alertname=~?"(.*?)"/)?.[1] ?? '',
      fires: exp_samples.some(({ labels }) => labels.includes('alertstate="firing"')),
    })),
    ...alert_rule_test.map(({ alertname, exp_alerts }) => ({ of: alertname, fires: exp_alerts.length > 0 })),
  ])

test.each(names)('%s is seen to fire, and seen not to', (name) => {
  const own = sayings.filter(({ of }) => new RegExp(`^(${of})$`).test(name))
  expect(own.some((it) => it.fires)).toBe(true)
  // The watchdog never is silent.
  expect(own.some((it) => !it.fires)).toBe(name !== 'Watchdog')
})

test.each(alerts.map((it) => [it.alert, it] as const))(
  '%s says how bad it is, what it means and what to do',
  (_, it) => {
    expect(['critical', 'warning', 'none']).toContain(it.labels.severity)
    expect(Object.keys(it.annotations).sort()).toEqual(['description', 'runbook_url', 'summary'])
    expect(it.annotations.runbook_url).toBe(
      `https://bookreservation.example/docs/runbook.md#${it.alert.toLowerCase()}`,
    )
  },
)

test('the runbook has a section for each alert, and none for what is no alert', () => {
  const runbook = readFileSync(join(root, 'docs/runbook.md'), 'utf8')
  const sections = [...runbook.matchAll(/^### (\w+)$/gm)].map(([, name]) => name!)
  expect(sections.toSorted()).toEqual(names.toSorted())
  for (const section of runbook.split(/^### /m).slice(1))
    for (const part of ['**Symptom.**', '**Meaning.**', '**What to do.**'])
      expect(section, section.split('\n')[0]).toContain(part)
})

/** For the operator, whose kind holds what Prometheus reads as a file. */
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
test('the rules of the cluster are the same', async () => {
  const head = '# Made of deploy/monitoring/rules: npx vitest run deploy/monitoring -u\n'
  const manifest = join(root, 'deploy/kubernetes/components/monitoring/rules.yaml')
  await expect(head + files.map(prometheusRule).join('---\n')).toMatchFileSnapshot(manifest)
})

test('nothing is recorded that nothing asks for', () => {
  const rules = files.flatMap(rulesIn)
  const asked = rules.map((it) => it.expr).join('\n')
  for (const rule of rules) if ('record' in rule) expect(asked).toContain(rule.record)
})
