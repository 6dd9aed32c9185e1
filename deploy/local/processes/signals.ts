/** Ctrl-C reaches the process twice: from the terminal, and forwarded by its parents. */
const echoMs = 500

/** @param force called at the second signal. @returns aborted at the first signal. */
export function onSignals(force: () => void): AbortSignal {
  const stopping = new AbortController()
  let since = 0
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!stopping.signal.aborted) {
        since = performance.now()
        stopping.abort(new Stopped(signal))
      } else if (performance.now() - since > echoMs) force()
    })
  }
  return stopping.signal
}

export class Stopped extends Error {
  override name = 'Stopped'
}
