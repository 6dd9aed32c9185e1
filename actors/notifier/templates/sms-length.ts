/** The length of a text message in EUC-KR, where every character but those of ASCII takes two bytes. */
export const smsBytesMax = 90

export const bytesInSms = (text: string): number =>
  [...text].reduce((sum, it) => sum + (it < '\u0080' ? 1 : 2), 0)
