/** The metrics and labels that a PromQL expression selects. */
import { parser } from '@prometheus-io/lezer-promql'

export type Selector = { metric: string; labels: string[] }

/** @throws when it is not PromQL. */
export function selectorsOf(expr: string): Selector[] {
  const text = (node: { from: number; to: number }) => expr.slice(node.from, node.to)
  const found: Selector[] = []
  parser.parse(expr).iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`Cannot parse at ${node.from}: ${expr}`)
      if (node.name === 'VectorSelector') {
        const name = node.node.getChild('Identifier')
        const matchers = node.node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []
        const labels = matchers.map((it) => text(it.getChild('LabelName')!))
        found.push({ metric: name ? text(name) : '', labels })
      }
    },
  })
  return found
}

/** @returns an expression of a dashboard as Grafana sends it. */
export const filledIn = (expr: string): string =>
  expr.replaceAll('$__rate_interval', '1m').replaceAll('$__range', '1h').replaceAll(/\$\w+/g, '.*')
