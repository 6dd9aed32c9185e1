/** Rules, dashboards, documents and scripts name metrics that three real processes export. */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import pkg from '../../package.json' with { type: 'json' }
import { serviceNames } from '../../platform/config.ts'
import { eventually } from '../../tests/doubles/eventually.ts'
import { cancel, receive, reserveAndWait } from '../../tests/harness/acts.ts'
import { useSystem } from '../../tests/harness/system.ts'
import { root } from '../local/root.ts'
import { sources } from '../local/sources.ts'
import { foreignMetrics } from './testing/foreign.ts'
import { filledIn, selectorsOf } from './testing/promql.ts'
import { monitoring, ruleFiles, rulesIn, run, runWith } from './testing/rules.ts'

type Target = { expr: string; legendFormat: string }
type Dashboard = { panels: { title: string; description?: string; targets?: Target[] }[] }

const targets = ['business', 'runtime'].flatMap((name) => {
  const model = JSON.parse(readFileSync(join(monitoring, `dashboards/${name}.json`), 'utf8')) as Dashboard
  return model.panels.flatMap(({ title, targets = [] }) =>
    targets.map((it) => ({ of: `${name}: ${title}`, expr: filledIn(it.expr), legend: it.legendFormat })),
  )
})
const rules = ruleFiles()
  .flatMap(rulesIn)
  .map((it) => ({ of: 'alert' in it ? it.alert : it.record, expr: it.expr }))
const recorded = ruleFiles()
  .flatMap(rulesIn)
  .flatMap((it) => ('record' in it ? [it.record] : []))

/** The metrics of the services, each with the labels seen on it. */
const exported = new Map<string, Set<string>>()
/** The answers of the services. */
const texts: string[] = []
/** Other metrics come from the client library. */
const own = /^(bookreservation_\w+|http_request_duration_seconds(_bucket|_sum|_count)?)$/

const system = useSystem({ partitions: 2, env: { REVISION: 'abc1234' } })
beforeAll(async () => {
  // So that every metric has a sample.
  await receive(system(), 'one', 1)
  const { reservation } = system()
  const reserved = await reserveAndWait(reservation, 'one', 'ann')
  await reserveAndWait(reservation, 'one', 'bob')
  await cancel(reservation, reserved.reservationid)
  await eventually(
    async () => (await read()) && exported.get('bookreservation_notices_total')?.has('channel'),
  )
  await eventually(
    async () => (await read()) && exported.get('bookreservation_mailbox_lag_entries')?.has('partition'),
  )
})

async function read(): Promise<true> {
  texts.length = 0
  for (const service of serviceNames) {
    const text = await (await fetch(`${system().opsUrl(service)}/metrics`)).text()
    texts.push(text)
    for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      for (const end of type === 'histogram'
        ? ['_bucket', '_sum', '_count']
        : type === 'summary'
          ? ['', '_sum', '_count']
          : [''])
        if (!exported.has(name + end)) exported.set(name + end, new Set())
    }
    for (const [, name, labels] of text.matchAll(/^(\w+)\{(.*)\} /gm))
      for (const [, label] of labels!.matchAll(/(\w+)="/g)) exported.get(name!)?.add(label!)
  }
  return true
}

test('our metrics share a namespace, and follow the conventions of Prometheus', () => {
  const library = /^(process|nodejs)_/
  expect([...exported.keys()].filter((it) => !own.test(it) && !library.test(it))).toEqual([])
  for (const text of texts) {
    const blocks = text.split('\n\n').filter((it) => own.test(/^# TYPE (\w+)/m.exec(it)?.[1] ?? ''))
    expect(blocks.length).toBeGreaterThan(15)
    expect(runWith(`${blocks.join('\n')}\n`, 'promtool', 'check', 'metrics')).toBe('')
  }
})

test('what runs is exported, by version, commit and runtime', () => {
  const { version } = pkg
  const line = `bookreservation_build_info{version="${version}",revision="abc1234",runtime="node ${process.versions.node}",service="stock"} 1`
  expect(texts.some((it) => it.split('\n').includes(line))).toBe(true)
})

const namedIn = (...extensions: string[]) =>
  new Set(
    sources(...extensions).flatMap(
      (path) =>
        readFileSync(join(root, path), 'utf8').match(/\b(?:bookreservation_|http_request_)\w+/g) ?? [],
    ),
  )

test('documents, scripts and tests name only metrics that exist', () => {
  const known = (name: string) => exported.has(name) || exported.has(`${name}_bucket`)
  const named = [...namedIn('.md', '.ts', '.yaml')]
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((it) => !known(it))).toEqual([])
})

test('each of our metrics is on a dashboard, in a rule or in a document', () => {
  const named = namedIn('.md', '.yaml', '.json')
  const family = (name: string) => name.replace(/_(bucket|sum|count)$/, '')
  const seen = new Set([...named].map(family))
  expect([...exported.keys()].filter((it) => own.test(it) && !seen.has(family(it)))).toEqual([])
})

test('every query of the dashboards is PromQL', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-queries-'))
  try {
    const asRules = targets.map(({ expr }, i) => ({ record: `query:${i}`, expr }))
    await writeFile(join(dir, 'queries.yaml'), stringify({ groups: [{ name: 'queries', rules: asRules }] }))
    expect(run('promtool', 'check', 'rules', join(dir, 'queries.yaml'))).toContain(
      `${targets.length} rules found`,
    )
  } finally {
    await rm(dir, { recursive: true })
  }
})

test('rules and dashboards name only metrics that exist', () => {
  const foreign = new Set(Object.values(foreignMetrics).flat())
  const unknown = [...rules, ...targets].flatMap(({ of, expr }) =>
    selectorsOf(expr)
      .map((it) => it.metric)
      .filter((it) => !exported.has(it) && !foreign.has(it) && !recorded.includes(it))
      .map((it) => `${of}: ${it}`),
  )
  expect(unknown).toEqual([])
})

test('they use only labels that our metrics have, or that Prometheus adds', () => {
  const added = ['namespace', 'service', 'instance', 'pod']
  const unknown = [...rules, ...targets].flatMap(({ of, expr }) =>
    selectorsOf(expr).flatMap(({ metric, labels }) => {
      const seen = exported.get(metric)
      // The labels of a metric without a sample are unknown.
      if (!seen?.size) return []
      return labels
        .filter((it) => !seen.has(it) && !added.includes(it))
        .map((it) => `${of}: ${metric}{${it}}`)
    }),
  )
  expect(unknown).toEqual([])
})

test('legends use only labels that the query keeps', () => {
  for (const { of, expr, legend } of targets)
    for (const [, label] of legend.matchAll(/{{(\w+)}}/g))
      if (/\bby \(/.test(expr))
        expect(expr, `${of}: ${legend}`).toMatch(new RegExp(`by \\([^)]*\\b${label}\\b`))
})

test('the lists of other exporters name only metrics that we query', () => {
  const asked = new Set(
    [...rules, ...targets].flatMap(({ expr }) => selectorsOf(expr).map((it) => it.metric)),
  )
  for (const [exporter, names] of Object.entries(foreignMetrics))
    for (const name of names) expect(asked.has(name), `${exporter}: ${name}`).toBe(true)
})
