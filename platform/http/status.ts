/**
 * Statuses as clients see them: capitalized, such as `Sent`. Postgres keeps some in lower case, where the version before this
 * one reads and writes them too, so a service converts them where its answers are made and its requests are read.
 */
import { z } from '@hono/zod-openapi'

export const shownStatus = <Stored extends string>(stored: Stored) =>
  (stored.charAt(0).toUpperCase() + stored.slice(1)) as Capitalize<Stored>

const storedStatus = <Shown extends string>(shown: Shown) =>
  (shown.charAt(0).toLowerCase() + shown.slice(1)) as Uncapitalize<Shown>

/** A status in an answer. */
export const shownStatuses = <Stored extends string>(stored: readonly Stored[]) =>
  z.enum(stored.map(shownStatus))

/** A status in a request; a handler gets the stored form. */
export const askedStatus = <Stored extends string>(stored: readonly Stored[]) =>
  shownStatuses(stored).transform((shown) => storedStatus(shown) as unknown as Stored)
