/** One HTTP call: `call.ts JSON`. It runs in a pod, and prints an `Answer` as JSON. */
export type Call = {
  url: string
  /** Makes it a POST. */
  body?: object
  headers?: Record<string, string> | undefined
  seconds?: number
}
/** Status 0 means that there was none. */
export type Answer = { status: number; body: string }

async function call({ url, body, headers, seconds = 10 }: Call): Promise<Answer> {
  try {
    const answer = await fetch(url, {
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      signal: AbortSignal.timeout(seconds * 1_000),
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    })
    return { status: answer.status, body: await answer.text() }
  } catch {
    return { status: 0, body: '' }
  }
}

if (import.meta.main) console.log(JSON.stringify(await call(JSON.parse(process.argv[2]!))))
