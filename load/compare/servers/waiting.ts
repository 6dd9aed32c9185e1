/**
 * Requests wait for their job in the process that runs it. Each contender has its own way to wait for a job from any process;
 * this one is faster than all of them, and the decision is as durable when it resolves.
 */
import type { Decision } from '../../bench/baseline/face.ts'

export class Waiting {
  readonly #requests = new Map<string, PromiseWithResolvers<Decision>>()

  /** Call it before you add the job: the job may finish before its addition is confirmed. */
  for(id: string): Promise<Decision> {
    const request = Promise.withResolvers<Decision>()
    this.#requests.set(id, request)
    return request.promise
  }

  /** Call it when the decision is committed. */
  decided(id: string, decision: Decision): void {
    this.#requests.get(id)?.resolve(decision)
    this.#requests.delete(id)
  }
}
