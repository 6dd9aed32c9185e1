/**
 * Requests that wait for their job, in the process that runs it. Each contender has a way of its own to wait for a
 * job from anywhere; this is quicker than any of them, and the decision is as durable when it resolves.
 */
import type { Decision } from '../../bench/baseline/face.ts'

export class Waiting {
  readonly #requests = new Map<string, PromiseWithResolvers<Decision>>()

  /** To be called before the job is added: it may be done before its addition is confirmed. */
  for(id: string): Promise<Decision> {
    const request = Promise.withResolvers<Decision>()
    this.#requests.set(id, request)
    return request.promise
  }

  /** The decision is committed. */
  decided(id: string, decision: Decision): void {
    this.#requests.get(id)?.resolve(decision)
    this.#requests.delete(id)
  }
}
