/** Collections, page by page. */
import { z } from 'zod'

/** @returns a schema that reads the items, and the key of the next page. */
export const pageSchema = <Item extends z.ZodType>(name: string, item: Item) =>
  z
    .object({
      _embedded: z.object({ [name]: z.array(item) }),
      _links: z.object({ next: z.object({ href: z.string() }).optional() }),
    })
    .transform(({ _embedded, _links: { next } }) => ({
      items: _embedded[name] as z.output<Item>[],
      after: next && (new URL(next.href, 'http://localhost').searchParams.get('after') ?? undefined),
    }))
