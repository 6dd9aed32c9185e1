/** The descriptor that each channel's file exports. */
import type { z } from 'zod'
import type { Channel } from '../delivery/delivery.ts'
import type { AddressName } from '../plan/notice.ts'
import type { Limits } from './receiver.ts'

export type Staff = 'purchaser' | 'operator'

type Descriptor<
  Name extends string,
  Address extends AddressName | null,
  Shape extends Readonly<Record<string, z.ZodType>>,
> = {
  name: Name
  /** The address that a customer must have left. `null`: the channel leads to one place, which operators configure. */
  address: Address
  /** The staff that can be notified over it. */
  staff: readonly Staff[]
  /** Operators can set others. */
  limits: Limits
  settings: Shape
  /** Reports settings that contradict each other. */
  check?(settings: z.infer<z.ZodObject<Shape>>, context: z.core.$RefinementCtx): void
  /** @returns undefined when the channel is not configured. */
  open(settings: z.infer<z.ZodObject<Shape>>, options: OpenOptions): Channel<Name> | undefined
}

type OpenOptions = {
  limits: Limits
  /** Milliseconds since the epoch, for signatures. */
  now(): number
}

/** Infers the types of a descriptor. */
export const defineChannel = <
  const Name extends string,
  const Address extends AddressName | null,
  Shape extends Readonly<Record<string, z.ZodType>>,
>(
  descriptor: Descriptor<Name, Address, Shape>,
) => descriptor
