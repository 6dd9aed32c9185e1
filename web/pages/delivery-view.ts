/** How `/receive/csv` looks: the form, the report of the dry run, the progress and the outcome. */
import type { Delivery, Fault } from '../delivery.ts'
import { type Html, html } from '../html.ts'
import type { Outcome, Progress } from '../import.ts'
import { type Column, table } from '../table.ts'
import type { Visit } from '../visit.ts'

export const csvPath = '/receive/csv'

export type Report = { said: string; tone: 'good' | 'warm' | 'bad'; more?: Html }

const example = `bookid,isbn,title,author,qty
momo,978-3-522-20255-8,모모,미하엘 엔데,3
,9788937473135,데미안,헤르만 헤세,1`

export const deliveryForm = ({ words: { csv } }: Visit): Html => html`<p>${csv.text}</p>
<form id="delivery" method="post" action="${csvPath}" enctype="multipart/form-data" class="narrow"
 hx-post="${csvPath}" hx-target="#report" hx-config="timeout:60s">
<label for="file">${csv.file}</label>
<input id="file" name="file" type="file" accept=".csv,text/csv" required aria-describedby="file-help" autofocus>
<small id="file-help">${csv.fileHelp}</small>
<button>${csv.check}</button>
</form>`

/** An example, to copy. */
export const deliveryFormat = ({
  words: { csv },
}: Visit): Html => html`<details><summary>${csv.format}</summary>
<p>${csv.formatText}</p>
<pre tabindex="0">${example}</pre>
</details>`

/** Of the dry run. @param wanted whether the file was to be received already. */
export function deliveryReport(visit: Visit, delivery: Delivery, wanted: string | undefined): Report {
  const { csv } = visit.words
  const { faults, lines, copies, ignored, sha256 } = delivery
  const unread = ignored.length > 0 ? html`<p>${csv.ignored(ignored.join(', '))}</p>` : ''
  if (faults.length > 0)
    return { said: csv.faulty(faults.length), tone: 'bad', more: html`${unread}${faultList(visit, faults)}` }
  const again = visit.isPartial ? '' : html`<p>${csv.chooseAgain}</p>`
  const said = `${wanted === undefined ? '' : csv.another} ${csv.good(lines.length, copies)}`
  const more = html`${unread}${again}
<input type="hidden" form="delivery" name="checked" value="${sha256}">
<p><button form="delivery" name="import" value="yes">${csv.import(copies)}</button></p>`
  return { said, tone: 'good', more }
}

function faultList(visit: Visit, faults: Fault[]): Html {
  const { csv } = visit.words
  const columns: Column<Fault>[] = [
    { name: csv.line, cell: ({ line }) => (line === undefined ? '–' : csv.lineNumber(line)) },
    { name: csv.fault, cell: ({ kind }) => csv.faults[kind] },
    { name: csv.value, cell: ({ value = '' }) => value },
  ]
  return html`<p>${csv.correct}</p>${table(csv.faultsCaption, columns, faults)}`
}

export const progressBar = ({ words: { csv } }: Visit, { lines }: Progress, delivery: Delivery): Html =>
  html`<p><progress value="${lines}" max="${delivery.lines.length}" aria-label="${csv.importing}"></progress>
${csv.progress(lines, delivery.lines.length)} ${csv.stay}</p>`

export function outcomeReport(visit: Visit, outcome: Outcome, delivery: Delivery): Report {
  const { csv } = visit.words
  const { lines, copies, refused, isStopped } = outcome
  const done = csv.received(lines, copies)
  const list = refused.length > 0 ? refusedList(visit, outcome) : undefined
  if (isStopped)
    return { said: `${csv.stopped(lines, delivery.lines.length)}`, tone: 'bad', ...(list && { more: list }) }
  return list
    ? { said: `${done} ${csv.refusedCount(refused.length)}`, tone: 'warm', more: list }
    : { said: done, tone: 'good' }
}

function refusedList({ words: { csv } }: Visit, { refused }: Outcome): Html {
  const columns: Column<Outcome['refused'][number]>[] = [
    { name: csv.line, cell: ({ line }) => csv.lineNumber(line) },
    { name: csv.fault, cell: ({ reason, detail }) => `${csv.refused[reason]} ${detail ?? ''}` },
  ]
  return html`<p>${csv.refusedText}</p>${table(csv.refusedCaption, columns, refused)}`
}
