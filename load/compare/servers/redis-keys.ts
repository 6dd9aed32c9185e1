/** The keys of the script: the copies of a book, and the reservations that are not yet in Postgres. */
export const stockKey = (bookid: string) => `lua:stock:${bookid}`
export const notes = 'lua:notes'
