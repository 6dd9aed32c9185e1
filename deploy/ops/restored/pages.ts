/** Reads a whole table in pages, ordered by its key. */

export const pageMax = 2_000

/** @param read returns at most `pageMax` rows with a key above `after`, ordered by key. */
export async function* pages<Row, Key>(
  first: Key,
  keyOf: (row: Row) => Key,
  read: (after: Key) => Promise<Row[]>,
): AsyncGenerator<Row[]> {
  for (let after = first; ; ) {
    const rows = await read(after)
    if (rows.length > 0) yield rows
    if (rows.length < pageMax) return
    after = keyOf(rows.at(-1)!)
  }
}

export const lowestUuid = '00000000-0000-0000-0000-000000000000'
