/** Answers with all that a service keeps of a person: one JSON object, written page by page, so that its size does not matter. */
import { ReadableStream } from 'node:stream/web'
import { jsonHeaders } from './reply.ts'

/**
 * @param name of the file that a browser offers to save.
 * @param head the members that are known at once.
 * @param list the name of the last member, and its pages. The first is read before the answer begins, so that a
 *   database that is away is a 503; if it goes away later, the answer is cut off and is no valid JSON.
 */
export async function replyExport<Item extends object>(
  name: string,
  head: object,
  list: [name: string, pages: AsyncIterator<Item[]>],
): Promise<never> {
  const [member, pages] = list
  const first = await pages.next()
  const headers = { ...jsonHeaders, 'content-disposition': `attachment; filename="${name}.json"` }
  const body = ReadableStream.from(written(head, member, first, pages)) as unknown as BodyInit
  // The type of a streamed answer cannot be that of the document's schema.
  return new Response(body, { status: 200, headers }) as never
}

async function* written<Item>(
  head: object,
  member: string,
  first: IteratorResult<Item[]>,
  pages: AsyncIterator<Item[]>,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder()
  yield encoder.encode(`${JSON.stringify(head).slice(0, -1)},"${member}":[`)
  let separator = ''
  for (let page = first; !page.done; page = await pages.next()) {
    if (page.value.length === 0) continue
    yield encoder.encode(separator + page.value.map((it) => JSON.stringify(it)).join(','))
    separator = ','
  }
  yield encoder.encode(']}')
}

/** Pages of a list that is cut by the key of its last row. @param read the rows after a row. */
export async function* pagesOf<Row, Item>(
  pageMax: number,
  read: (last: Row | undefined, limit: number) => Promise<Row[]>,
  toItem: (row: Row) => Item,
): AsyncGenerator<Item[], void> {
  for (let last: Row | undefined; ; ) {
    const rows: Row[] = await read(last, pageMax)
    if (rows.length > 0) yield rows.map(toItem)
    if (rows.length < pageMax) return
    last = rows.at(-1)
  }
}
