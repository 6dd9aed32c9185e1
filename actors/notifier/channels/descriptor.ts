/** What a channel's file exports: everything that the notifier knows of the channel before it is opened. */
import type { z } from 'zod'
import type { Channel } from '../delivery/delivery.ts'
import type { AddressName } from '../plan/notice.ts'
import type { Limits } from './receiver.ts'

export type Staff = 'purchaser' | 'operator'

export type Descriptor<
  Name extends string,
  Address extends AddressName | null,
  Shape extends Readonly<z.ZodRawShape>,
> = {
  name: Name
  /** The address that a customer must have left. `null`: the channel leads to one place, which operators configure. */
  address: Address
  /** Who of the library's staff can be notified over it. */
  staff: readonly Staff[]
  /** Operators can set others. */
  limits: Limits
  settings: Shape
  /** Reports settings that contradict each other. */
  check?(settings: z.infer<z.ZodObject<Shape>>, context: z.core.$RefinementCtx): void
  /** @returns undefined when the channel is not configured. */
  open(settings: z.infer<z.ZodObject<Shape>>, given: Given): Channel<Name> | undefined
}

export type Given = {
  limits: Limits
  /** Milliseconds since the epoch, for signatures. */
  now(): number
}

/** Infers the types of a descriptor. */
export const describe = <
  const Name extends string,
  const Address extends AddressName | null,
  Shape extends Readonly<z.ZodRawShape>,
>(
  descriptor: Descriptor<Name, Address, Shape>,
) => descriptor
