/** Results as an SVG: throughput with the most clients, and the wait of a lone customer. Pure. */
import { count } from '../bench/report.ts'
import type { Results, Row, Situation } from './results.ts'
import { situationsOf, titleOf } from './table.ts'

const width = 960
const margin = 20
const nameWidth = 190
const barWidth = 560
const barHeight = 18
const rowHeight = 24
const headHeight = 44
const panelGap = 26

const style = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .head { font-weight: 600; font-size: 15px }
  .note { fill: #57606a; font-size: 12px }
  .bar { fill: #9aa4af }
  .ours { fill: #1f6feb }
  .ground { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note { fill: #9198a1 }
    .bar { fill: #6e7681 }
    .ours { fill: #4493f8 }
    .ground { fill: #0d1117 }
  }`

type Panel = {
  title: string
  note: string
  bars: { name: string; ours: boolean; value: number; text: string }[]
}

export function pictureOf(results: Results): string {
  let top = margin
  const parts: string[] = []
  for (const panel of panelsOf(results)) {
    parts.push(drawPanel(panel, top))
    top += headHeight + panel.bars.length * rowHeight + panelGap
  }
  const height = top - panelGap + margin
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(results.machine)}</title>`,
    `<style>${style}</style>`,
    `<rect class="ground" width="${width}" height="${height}" rx="6"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}

/** The most clients of each pattern; and one client with equally popular books, where customers do not compete. */
function panelsOf(results: Results): Panel[] {
  const situations = situationsOf(results.rows)
  const densest = situations.filter(
    (it) =>
      it.clients === Math.max(...situations.filter((s) => s.pattern === it.pattern).map((s) => s.clients)),
  )
  const alone = situations.filter(({ clients }) => clients === 1)
  const lone = alone.find(({ pattern }) => pattern === 'even') ?? alone.at(-1)
  return [
    ...densest.map((it) =>
      panelOf(results, it, 'decided per second: longer is better', (row) => ({
        value: row.decidedPerSecond,
        text: `${count(row.decidedPerSecond)}/s, p99 ${milliseconds(row.p99Ms)}`,
      })),
    ),
    ...(lone && situations.length > densest.length
      ? [
          panelOf(results, lone, 'median wait: shorter is better', (row) => ({
            value: row.p50Ms,
            text: `${milliseconds(row.p50Ms)}, p99 ${milliseconds(row.p99Ms)}`,
          })),
        ]
      : []),
  ]
}

function panelOf(
  { contenders, rows, books }: Results,
  situation: Situation,
  note: string,
  figure: (row: Row) => { value: number; text: string },
): Panel {
  const { pattern, clients } = situation
  const bars = contenders.flatMap(({ name, title }) => {
    const row = rows.find((it) => it.pattern === pattern && it.clients === clients && it.contender === name)
    return row ? [{ name: title, ours: name.startsWith('ours'), ...figure(row) }] : []
  })
  return { title: titleOf(situation, books), note, bars }
}

function drawPanel({ title, note, bars }: Panel, top: number): string {
  const most = Math.max(...bars.map(({ value }) => value).filter(Number.isFinite))
  const lines = bars.map(({ name, ours, value, text }, index) => {
    const y = top + headHeight + index * rowHeight
    const drawn = Number.isFinite(value)
    const length = drawn && most > 0 ? Math.max(1, Math.round((value / most) * barWidth)) : 1
    const middle = y + barHeight / 2 + 4.5
    return [
      `<text x="${margin + nameWidth - 8}" y="${middle}" text-anchor="end">${escaped(name)}</text>`,
      `<rect class="bar${ours ? ' ours' : ''}" x="${margin + nameWidth}" y="${y}" width="${length}" height="${barHeight}" rx="2"/>`,
      `<text x="${margin + nameWidth + length + 8}" y="${middle}">${drawn ? escaped(text) : 'none'}</text>`,
    ].join('\n')
  })
  return [
    `<text class="head" x="${margin}" y="${top + 14}">${escaped(title)}</text>`,
    `<text class="note" x="${margin}" y="${top + 32}">${escaped(note)}</text>`,
    ...lines,
  ].join('\n')
}

const milliseconds = (ms: number) =>
  Number.isFinite(ms) ? `${ms < 10 ? ms.toFixed(1) : count(ms)} ms` : 'none'
const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
