/** The version that runs, and the runtime that runs it, for metrics and traces. */
import about from '../package.json' with { type: 'json' }

export const { version } = about

const { node, deno } = process.versions
/** Such as `node 24.21.0`. Deno reports a version of Node too, with which it is compatible. */
export const runtime = deno ? `deno ${deno}` : `node ${node}`
