/**
 * Before a test file: what its worker compiles is kept for the workers after it. Node does that when a process ends by itself, but
 * vitest ends its workers by a signal.
 */
import { flushCompileCache } from 'node:module'
import { afterAll } from 'vitest'

afterAll(() => flushCompileCache())
