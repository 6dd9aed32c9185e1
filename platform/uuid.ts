/**
 * A version 7 UUID: its first 48 bits are the time in milliseconds, so that ids rise with time and an index over them
 * grows at its end. The rest comes from `randomUUID`, which the platform generates in bulk.
 * @param now milliseconds of a clock that all processes share; otherwise ids would not rise with time. Source: RFC
 * 9562, section 5.7
 */
export function uuidv7(now: number): string {
  if (now !== prefixOf) {
    const time = now.toString(16).padStart(12, '0')
    prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`
    prefixOf = now
  }
  return prefix + crypto.randomUUID().slice(15)
}

/** Cached, because many ids share a millisecond. */
let prefixOf: number | undefined
let prefix = ''
