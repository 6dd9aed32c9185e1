/** Where the script in Redis finds what it takes and leaves what it took. */
export const stockKey = (bookid: string) => `lua:stock:${bookid}`
export const notes = 'lua:notes'
