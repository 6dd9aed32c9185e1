/** Schemas that the stock manager's and the purchaser's routes share. */
import { z } from '@hono/zod-openapi'
import { idempotencyHeader } from '../../platform/http/idempotency.ts'
import { qtySchema } from '../messages.ts'

/** A whole number, or a string of digits, which command-line clients send. */
export const qty = z
  .union([
    z.int(),
    z
      .string()
      .regex(/^\d{1,15}$/, 'must be a whole number')
      .transform(Number),
  ])
  .pipe(qtySchema)
  .openapi({ example: 3 })

export const keyHeader = z.object({ 'idempotency-key': idempotencyHeader })
export const location = z.object({ location: z.string() })
