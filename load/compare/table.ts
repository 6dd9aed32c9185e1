/** Results as tables: for the terminal, and as Markdown. Pure. */
import { align, count, megabytes } from '../bench/report.ts'
import type { Results, Row, Situation } from './results.ts'

const head = [
  '',
  'decided/s',
  'over rounds',
  'p50 ms',
  'p99 ms',
  'CPU s per 1,000',
  'busy s longer',
  'peak memory',
  'on disk when it answers',
]

const patternTitles = {
  hot: () => 'One hot book',
  even: (books: number) => `${count(books)} books, each equally often`,
  zipf: (books: number) => `${count(books)} books by Zipf's law`,
}

export const titleOf = ({ pattern, clients }: Situation, books: number): string =>
  `${patternTitles[pattern](books)}, ${clients === 1 ? 'one client' : `${clients} clients`}`

/** The measured situations, with the most clients first. */
export function situationsOf(rows: Row[]): Situation[] {
  const seen = new Map(rows.map(({ pattern, clients }) => [`${pattern} ${clients}`, { pattern, clients }]))
  const order = ['hot', 'even', 'zipf']
  return [...seen.values()].sort(
    (a, b) => order.indexOf(a.pattern) - order.indexOf(b.pattern) || b.clients - a.clients,
  )
}

/** Reasons not to trust these results. */
export function faultsOf({ audits, complete }: Results): string[] {
  return [
    ...(audits.every(({ right }) => right) ? [] : ['WRONG: the books of a contender do not add up']),
    ...(complete ? [] : ['incomplete: it was stopped, or a contender failed']),
  ]
}

/** A table per situation, and then goals, audits and failures. */
export function textOf(results: Results): string {
  const tables = situationsOf(results.rows).map(
    (situation) => `${titleOf(situation, results.books)}\n${align([head, ...linesOf(results, situation)])}`,
  )
  const sections = sectionsOf(results).map(
    ({ title, lines }) =>
      `${title}\n${lines.map((line) => `  ${line.replaceAll('\n', '\n    ')}`).join('\n')}`,
  )
  return [...tables, ...sections, ...faultsOf(results)].join('\n\n')
}

export function markdownOf(results: Results): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  const rule = line(head.map((_, column) => (column === 0 || column === head.length - 1 ? '---' : '---:')))
  const tables = situationsOf(results.rows).map((situation) =>
    [
      `## ${titleOf(situation, results.books)}\n`,
      ...[line(head), rule, ...linesOf(results, situation).map(line)],
    ].join('\n'),
  )
  const sections = sectionsOf(results).map(({ title, lines }) =>
    [`## ${title}\n`, ...lines.map((line) => `- ${line.replaceAll('\n', '\n  ')}`)].join('\n'),
  )
  const faults = faultsOf(results).map((fault) => `**${fault}**`)
  return `${['# Results', ...faults, ...conditionsOf(results), ...tables, ...sections].join('\n\n')}\n`
}

/** Everything that is needed to repeat the results. */
function conditionsOf(results: Results): string[] {
  const { machine, at, command, versions, launches, rounds, seconds, warmupSeconds } = results
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const times = rounds === 1 ? 'one round' : `${rounds} rounds`
  return [
    `${machine}. ${at}. Medians of ${times} of runs of ${seconds} s, after ${warmupSeconds} s of warm-up.`,
    `\`${command}\`, with ${packages.join(', ')}.`,
    ...launches,
  ]
}

function sectionsOf({ goals, audits, others, failures }: Results): { title: string; lines: string[] }[] {
  const books = audits.map(({ line, right }) => `${right ? 'right ' : 'WRONG '} ${line}`)
  return [
    { title: 'Goals', lines: goals.map(({ text, met }) => `${met ? 'met   ' : 'MISSED'} ${text}`) },
    { title: 'Other answers', lines: others },
    { title: 'Books', lines: books },
    { title: 'Failures', lines: failures },
  ].filter(({ lines }) => lines.length > 0)
}

function linesOf({ contenders, rows }: Results, { pattern, clients }: Situation): string[][] {
  return contenders.flatMap(({ name, title, durability }) => {
    const row = rows.find((it) => it.pattern === pattern && it.clients === clients && it.contender === name)
    if (!row) return []
    const figures = [
      count(row.decidedPerSecond),
      `${count(row.slowestPerSecond)} to ${count(row.fastestPerSecond)}`,
      milliseconds(row.p50Ms),
      milliseconds(row.p99Ms),
      row.cpuSecondsPer1000.toFixed(2),
      row.catchUpMs < 1000 ? '' : (row.catchUpMs / 1000).toFixed(1),
      megabytes(row.residentBytes),
    ]
    return [[title, ...figures, durability]]
  })
}

const milliseconds = (ms: number) => (Number.isFinite(ms) ? ms.toFixed(1) : 'none')
