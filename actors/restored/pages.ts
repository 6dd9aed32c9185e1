/** Reads a table from end to end, a page at a time, by its key. */

/** Rows in a page at most. */
export const pageMax = 2_000

/** @param read the rows whose key comes after `after`, in the order of their keys, at most `pageMax`. */
export async function* pages<Row>(
  first: string,
  keyOf: (row: Row) => string,
  read: (after: string) => Promise<Row[]>,
): AsyncGenerator<Row[]> {
  for (let after = first; ; ) {
    const rows = await read(after)
    if (rows.length > 0) yield rows
    if (rows.length < pageMax) return
    after = keyOf(rows.at(-1)!)
  }
}

export const lowestUuid = '00000000-0000-0000-0000-000000000000'
