/**
 * A version 7 UUID: its first 48 bits are the time in milliseconds, so that ids rise with time and an index over them
 * grows at its end. The others are random.
 * @param now milliseconds of a clock that all processes share; otherwise ids would not rise with time. Source: RFC
 * 9562, section 5.7
 */
export function uuidv7(now: number): string {
  if (now !== time) {
    const hex = now.toString(16).padStart(12, '0')
    text.write(`${hex.slice(0, 8)}-${hex.slice(8)}`, 'latin1')
    time = now
  }
  if (used + digitsPerId > random.length) {
    crypto.getRandomValues(random)
    used = 0
  }
  for (let at = 15; at < text.length; at++)
    if (at !== 18 && at !== 23) text[at] = digits[random[used++]! & 15]!
  text[19] = digits[8 | (random[used++]! & 3)]!
  return text.toString('latin1')
}

/** The id in the making. Between two ids of the same millisecond only the random digits change. */
const text = Buffer.from('00000000-0000-7000-8000-000000000000')
let time: number | undefined

const digits = Buffer.from('0123456789abcdef')
/** Random bytes, one per digit: fetched in bulk, because a call for each id would cost more than the id. */
const random = new Uint8Array(4_096)
let used = random.length
const digitsPerId = 20
