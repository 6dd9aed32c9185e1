/** The one way in which bytes from outside become text: they are UTF-8, or they are refused. */
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Without a byte order mark, if one is in front. @throws {TypeError} when the bytes are not UTF-8. */
export const fromUtf8 = (bytes: Uint8Array | ArrayBuffer): string => decoder.decode(bytes)
