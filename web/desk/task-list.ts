/** A page of the tasks of a kind, or those that a scan names. */
import type { Task, TaskKind } from '../apis/stock.ts'
import { type Html, html } from '../html.ts'
import { pageOf } from '../list.ts'
import { part } from '../part.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'
import { doneBefore, type Refused } from './holds.ts'
import { findTasks } from './tasks.ts'
import { type Answer, showWork, type Work } from './work.ts'

const perPage = 50

type TaskList = {
  kind: TaskKind
  /** Of the page of the list. */
  after: string | undefined
  refused: Refused | undefined
  /** The answer to a scan that names this task, and the tasks of the page. */
  found(task: Task, tasks: Task[]): Answer
  /** The form that Enter sends for the task that a scan names. */
  next?(task: Task): Work['next']
  content(tasks: Task[]): Html
}

export async function showTasks(visit: Visit, list: TaskList): Promise<Response> {
  const { kind, after, refused } = list
  const path = `/shelf/${kind}`
  const { title, label, help, none, notFound } = visit.words[kind]
  const scan = visit.query('scan')
  const [done, found, listed] = await Promise.all([
    refused ? undefined : doneBefore(visit),
    scan === undefined ? undefined : findTasks(visit.apis, kind, scan),
    scan === undefined
      ? part(visit.apis.stock.call('listTasks', { kind, limit: perPage, after }))
      : undefined,
  ])
  const page = listed ? pageOf(listed) : { items: [], after: undefined }
  const tasks = found?.tasks ?? page.items
  const [named] = found?.tasks ?? []
  const parts = [...(found?.parts ?? []), ...(listed ? [listed] : [])]
  const isComplete = parts.every((it) => it.ok)
  const answer = named
    ? list.found(named, tasks)
    : scan !== undefined && isComplete
      ? { tone: 'bad' as const, text: notFound(scan) }
      : undefined
  const content = html`${list.content(tasks)}
${tasks.length === 0 && scan === undefined && isComplete ? html`<p class="empty">${none}</p>` : ''}
${scan === undefined ? turnPage(visit, page.after) : html`<p><a href="${path}">${visit.words.work.all}</a></p>`}`
  return showWork(
    visit,
    {
      path,
      title,
      label,
      help,
      answer: refused?.answer ?? done?.answer ?? answer,
      next: refused || !named ? undefined : list.next?.(named),
      content,
      parts,
      ...(refused?.missing && { missing: refused.missing }),
    },
    refused?.status,
  )
}
