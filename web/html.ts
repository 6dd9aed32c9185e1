import { html } from 'hono/html'

/** The tag writes a piece of a page. It escapes every value that is not such a piece itself. */
export { html }
export type Html = ReturnType<typeof html>
