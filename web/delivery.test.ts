import { expect, test } from 'vitest'
import { linesMax, readDelivery } from './delivery.ts'

const tooLong = 'x'.repeat(501)
const read = (text: string) => readDelivery(new TextEncoder().encode(text))
const faultsOf = async (text: string) =>
  (await read(text)).faults.map(({ kind, line }) => (line === undefined ? kind : `${line}: ${kind}`))

test('columns may be in any order; a line is found by its number or its ISBN', async () => {
  const { lines, copies, faults, ignored } = await read(
    'QTY, Title ,isbn,price,author,bookid\r\n3,모모,3-522-20255-4,9000,"Ende, Michael",momo\r\n\r\n1,,978-89-374-7313-5,,,\r\n',
  )
  expect(faults).toEqual([])
  expect(lines).toEqual([
    { line: 2, bookid: 'momo', isbn: '9783522202558', title: '모모', author: 'Ende, Michael', qty: 3 },
    {
      line: 4,
      bookid: undefined,
      isbn: '9788937473135',
      title: undefined,
      author: undefined,
      qty: 1,
    },
  ])
  expect([copies, ignored]).toEqual([4, ['price']])
})

test('a file is UTF-8, with a mark or without, or CP949; the same bytes have the same name', async () => {
  const title = (bytes: number[]) =>
    readDelivery(new Uint8Array([...new TextEncoder().encode('bookid,qty,title\nmomo,1,'), ...bytes]))
  const utf8 = await title([...new TextEncoder().encode('뷁')])
  // A syllable that EUC-KR lacks and CP949 has.
  const cp949 = await title([0x94, 0xee])
  expect(utf8.lines[0]?.title).toBe('뷁')
  expect(cp949.lines[0]?.title).toBe('뷁')
  expect(utf8.sha256).not.toBe(cp949.sha256)
  expect((await title([0x94, 0xee])).sha256).toBe(cp949.sha256)
  expect((await read('\uFEFFbookid,qty\nmomo,1\n')).lines).toHaveLength(1)
  expect((await title([0xff])).faults).toEqual([{ kind: 'encoding' }])
})

test.each([
  ['', ['empty']],
  ['bookid,qty\n', ['empty']],
  ['bookid,title\nmomo,Momo\n', ['1: header']],
  ['title,qty\nMomo,1\n', ['1: header']],
  ['bookid,qty,qty\nmomo,1,1\n', ['1: header']],
  ['bookid,qty\nmomo\nmomo,1,2\nmomo,1\n', ['2: fields', '3: fields']],
  ['bookid,isbn,qty\n,,1\nmo mo,,1\n모모,,1\n', ['2: number', '3: bookid', '4: bookid']],
  ['isbn,qty\n9783522202557,1\n9.78352E+12,1\n', ['2: isbn', '3: isbn']],
  ['bookid,qty\na,0\nb,-1\nc,1.5\nd,\ne,10000\nf,9999\n', ['2: qty', '3: qty', '4: qty', '5: qty', '6: qty']],
  [`bookid,title,qty\nmomo,${tooLong},1\n`, ['2: title']],
  ['bookid,title,qty\na,"Momo" x,1\nb,ok,1\n', ['2: csv']],
  ['bookid,title,qty\na,ok,1\nb,"Momo,1\nc,ok,1\n', ['4: csv']],
])('faults are found by line: %j', async (text, expected) => {
  expect(await faultsOf(text)).toEqual(expected)
})

test('a quote that is never closed does not collect the rest of the file', async () => {
  const { faults } = await read(`bookid,title,qty\na,"${'x\n'.repeat(20_000)},1\n`)
  expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(['csv']))
})

test('a file has at most as many lines as can be received in a while', async () => {
  const lines = Array.from({ length: linesMax + 1 }, (_, i) => `b${i},1`)
  expect(await faultsOf(`bookid,qty\n${lines.join('\n')}\n`)).toEqual(['lines'])
})
