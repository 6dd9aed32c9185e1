/** The parts of the dashboards: few kinds of panels, all alike. */

import { ReduceDataOptionsBuilder } from '@grafana/grafana-foundation-sdk/common'
import {
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries'

/** A name for the legend, in which `{{label}}` is a label's value, and the query. */
type Query = [legend: string, expr: string]
export type Panel = {
  title: string
  /** Explains the figure, and the meaning of a rise. */
  description: string
  /** Grafana's name for it, such as `s`, `reqps`, `percentunit`. */
  unit: string
  queries: Query[]
  kind?: 'timeseries' | 'stat'
  max?: number
}
export type Row = { title: string; panels: Panel[] }
export type Page = { uid: string; title: string; description: string; variables: string[]; rows: Row[] }

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana fills it in.
const source = { type: 'prometheus', uid: '${datasource}' }
const height = 8
/** A third of the width, which is 24. */
const span = 8

/** @returns the model that Grafana reads, as JSON. */
export function dashboardOf({ uid, title, description, variables, rows }: Page): string {
  const dashboard = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(['bookreservation'])
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly()
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
  for (const label of variables) dashboard.withVariable(variableOf(label))
  for (const row of rows) {
    dashboard.withRow(new RowBuilder(row.title))
    for (const panel of row.panels) dashboard.withPanel(panelOf(panel))
  }
  return `${JSON.stringify(dashboard.build(), null, 2)}\n`
}

/** All values by default, including series without the label, as outside of Kubernetes. Every process exports this metric. */
const variableOf = (label: string) =>
  new QueryVariableBuilder(label)
    .label(label)
    .datasource(source)
    .query(`label_values(bookreservation_build_info, ${label})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ text: 'All', value: '$__all' })

function panelOf({ title, description, unit, queries, kind = 'timeseries', max }: Panel) {
  const panel = kind === 'stat' ? number() : lines()
  panel.title(title).description(description).unit(unit).datasource(source).height(height).span(span)
  if (max !== undefined) panel.max(max)
  for (const [index, [legend, expr]] of queries.entries()) {
    const refId = String.fromCharCode(65 + index)
    const query = new DataqueryBuilder().refId(refId).datasource(source).expr(expr).legendFormat(legend)
    panel.withTarget(kind === 'stat' ? query.instant() : query.range())
  }
  return panel
}

/** With enough digits to see five nines. */
const number = () =>
  new StatBuilder().decimals(4).reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
const lines = () => new TimeseriesBuilder().min(0).fillOpacity(10).lineWidth(1)

/** A quantile of a histogram, over all processes. @param by labels to keep. */
export const quantile = (q: number, histogram: string, selector: string, by: string[] = []): string =>
  `histogram_quantile(${q}, sum by (${['le', ...by].join(', ')}) (rate(${histogram}_bucket{${selector}}[$__rate_interval])))`
