/** How pages show a notice to operators. */
import { withQuery } from '../address.ts'
import type { Notice, NoticeFilter } from '../apis/notifier.ts'
import { type Html, html } from '../html.ts'
import type { Visit } from '../visit.ts'
import { wordFor } from '../words/words.ts'

export const noticesPath = (filter: NoticeFilter = {}): string => withQuery('/ops/notices', filter)

export const noticePath = (noticeid: string): string => `/ops/notices/${noticeid}`

const tones: Record<string, string> = { Sent: 'good', Pending: 'warm', Failed: 'bad' }

export const noticeBadge = ({ words: { ops } }: Visit, { status }: Pick<Notice, 'status'>): Html =>
  html`<span class="badge ${tones[status] ?? ''}">${wordFor(ops.notices.status, status)}</span>`
