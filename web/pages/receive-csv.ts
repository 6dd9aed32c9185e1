/**
 * `/receive/csv`: a delivery as a file. The first time that it is sent, it is checked: a dry run. The second time it is received.
 *
 * The file is kept nowhere: the browser sends it again, and its hash shows that it is the same. So any process can receive it, and none
 * has a file or a half done import to lose. Received twice, it has one effect (`import.ts`).
 */
import { streamSSE } from 'hono/streaming'
import { z } from 'zod'
import { type Delivery, deliveryBytesMax, readDelivery } from '../delivery.ts'
import { type Html, html } from '../html.ts'
import { importDelivery, type Outcome, type Progress } from '../import.ts'
import type { PageRoutes } from '../routes.ts'
import { unfold, unfolding } from '../unfold.ts'
import type { Reply, Visit } from '../visit.ts'
import {
  csvPath,
  deliveryForm,
  deliveryFormat,
  deliveryReport,
  outcomeReport,
  progressBar,
  type Report,
} from './delivery-view.ts'

const schema = z.object({
  file: z.instanceof(File),
  /** The hash of the file that was checked. */
  checked: z.string().optional(),
  import: z.string().optional(),
})

/** In one process: each holds a file in memory. */
const importsMax = 3

export function mountReceiveCsv(routes: PageRoutes): void {
  let imports = 0

  routes.get(csvPath, ['stock-manager'], (visit) => show(visit, undefined))

  routes.post(csvPath, ['stock-manager'], async (visit) => {
    const submitted = await visit.form(schema)
    const { csv } = visit.words
    if (!submitted.ok || submitted.values.file.size === 0)
      return show(visit, { said: csv.choose, tone: 'bad' })
    const { file, checked, import: wanted } = submitted.values
    if (file.size > deliveryBytesMax) return show(visit, { said: csv.tooLarge, tone: 'bad' })
    const delivery = await readDelivery(new Uint8Array(await file.arrayBuffer()))
    const isChecked = wanted !== undefined && checked === delivery.sha256
    if (!isChecked || delivery.faults.length > 0) return show(visit, deliveryReport(visit, delivery, wanted))
    if (imports >= importsMax) return show(visit, { said: csv.busy, tone: 'warm' })
    imports += 1
    return receiveAll(visit, delivery, routes.stopping, () => {
      imports -= 1
    })
  })
}

/** The body of a file, which is larger than that of a form. */
export const showTooLarge = (visit: Visit): Reply =>
  show(visit, { said: visit.words.csv.tooLarge, tone: 'bad' })

function show(visit: Visit, report: Report | undefined): Reply {
  const { said = '', tone = 'good', more = '' } = report ?? {}
  const status = tone === 'bad' ? 422 : 200
  if (visit.isPartial) return visit.fragment(html`<div>${more}</div>${saidRegion(said, tone, true)}`, status)
  const main = html`<h1>${visit.words.csv.title}</h1>
${deliveryForm(visit)}
${saidRegion(said, tone)}
<div id="report">${more}</div>
${deliveryFormat(visit)}`
  return visit.show({ title: visit.words.csv.title, main }, status)
}

const saidRegion = (said: string, tone: string, isPartial = false): Html =>
  html`<p id="said" role="status" class="answer ${tone}"${isPartial ? html` hx-swap-oob="true"` : ''}>${said}</p>`

/** With scripts a stream of events, each of which replaces the progress; without, a page that grows. */
function receiveAll(visit: Visit, delivery: Delivery, stopping: AbortSignal, ended: () => void): Reply {
  const gone = new AbortController()
  const signal = AbortSignal.any([stopping, gone.signal])
  const steps = importDelivery({ apis: visit.apis, delivery, signal })
  const end = () => {
    gone.abort()
    ended()
  }
  if (!visit.isPartial) {
    const { csv } = visit.words
    const pieces = unfolded(visit, delivery, steps, end)
    const main = html`<h1>${csv.importing}</h1><p>${csv.stay}</p>${unfolding}<p><a href="${csvPath}">${csv.next}</a></p>`
    return unfold(visit, { title: csv.importing, main }, pieces)
  }
  const response = streamSSE(visit.c, async (stream) => {
    stream.onAbort(() => gone.abort())
    try {
      const send = async (piece: Html) => stream.writeSSE({ data: String(await piece) })
      let step = await steps.next()
      for (; !step.done; step = await steps.next()) await send(progressBar(visit, step.value, delivery))
      const { said, tone, more = '' } = outcomeReport(visit, step.value, delivery)
      await send(html`<div>${more}</div>${saidRegion(said, tone, true)}`)
    } finally {
      end()
    }
  })
  response.headers.set('cache-control', 'no-store')
  response.headers.set('x-accel-buffering', 'no')
  return response
}

async function* unfolded(
  visit: Visit,
  delivery: Delivery,
  steps: AsyncGenerator<Progress, Outcome>,
  end: () => void,
): AsyncGenerator<Html> {
  try {
    yield html`<div class="unfolding">`
    let step = await steps.next()
    for (; !step.done; step = await steps.next()) yield progressBar(visit, step.value, delivery)
    const { said, tone, more = '' } = outcomeReport(visit, step.value, delivery)
    yield html`<div>${saidRegion(said, tone)}${more}</div></div>`
  } finally {
    end()
  }
}
