/** Numbers in English. */

export const copies = (n: number) => (n === 1 ? '1 copy' : `${n} copies`)
export const people = (n: number) => (n === 1 ? '1 person' : `${n} people`)
export const days = (n: number) => (n === 1 ? '1 day' : `${n} days`)
