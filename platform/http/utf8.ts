/** The only decoder for bytes from outside: anything but UTF-8 is refused. */
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Removes a leading byte order mark. @throws {TypeError} when the bytes are not UTF-8. */
export const fromUtf8 = (bytes: Uint8Array | ArrayBuffer): string => decoder.decode(bytes)
