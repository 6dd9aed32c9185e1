/** A part of a page that comes from one service. If the service is down, the rest of the page is shown without it. */
import type { ServiceName } from '../platform/config.ts'
import { ApiDown } from './apis/call.ts'

export type Part<Value> = { ok: true; value: Value } | { ok: false; api: ServiceName }

/** Start all parts of a page before the first is awaited: each takes up to its time limit. */
export async function part<Value>(reading: Promise<Value>): Promise<Part<Value>> {
  try {
    return { ok: true, value: await reading }
  } catch (error) {
    if (error instanceof ApiDown) return { ok: false, api: error.api }
    throw error
  }
}

/** @returns the services that are missing on the page, each once. */
export const missingOf = (parts: Part<unknown>[]): ServiceName[] => [
  ...new Set(parts.flatMap((it) => (it.ok ? [] : [it.api]))),
]
