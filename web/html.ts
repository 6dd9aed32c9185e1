import type { html } from 'hono/html'

/** A piece of a page, as the tag `html` returns it. The tag escapes every value that is not such a piece itself. */
export type Html = ReturnType<typeof html>
