/** Invalid stream entries. */
import { batchField, toFields } from '../../streams/envelope.ts'

const reserve = { bookid: 'book', reservationid: '00000000-0000-4000-8000-000000000001', userid: 'ann' }
const envelope = {
  specversion: '1.0',
  id: 'x',
  source: '/tests',
  type: 'ReserveCopy',
  subject: 'book',
  time: new Date(0).toISOString(),
  data: reserve,
}
const receipt = { bookid: 'book', qty: 1, commandid: reserve.reservationid }
/** Fields of mailbox entries that are not a command to stock, by their fault. */
export const senseless: Record<string, string[]> = {
  'no CloudEvents event at all': ['hello', 'world'],
  'an entry that is not JSON': [batchField, '[{"specversion":'],
  'an envelope without data': toFields([{ ...envelope, data: undefined }]),
  'data that is no object': toFields([{ ...envelope, data: 'text' }]),
  'data that lacks what the message needs': toFields([{ ...envelope, data: {} }]),
  'a type that stock does not know': toFields([{ ...envelope, type: 'BurnCopies' }]),
  'an id with a NUL in it': toFields([{ ...envelope, data: { ...reserve, userid: 'a\0b' } }]),
  'text with half a character': toFields([
    { ...envelope, type: 'ReceiveCopies', data: { ...receipt, title: '\ud800' } },
  ]),
  'a quantity below zero': toFields([{ ...envelope, type: 'ReceiveCopies', data: { ...receipt, qty: -5 } }]),
  'a NUL in an attribute': toFields([{ ...envelope, type: 'Reserve\0Copy' }]),
  'a NUL in the entry': [batchField, 'a\0b'],
  'two messages in one entry': toFields([envelope, envelope]),
}
