/** Measures the pages: how long the server takes for each, and what open live pages cost while nothing changes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from '../../load/bench/report.ts'
import { usageOf } from '../../load/bench/usage.ts'
import { cookieOf, type Library, readerOf, readers } from './library.ts'

type MeasureOptions = { requests: number; pages: number; seconds: number }

/** For a page, at the median. */
const medianMaxMs = 20
/** Of a core, for the whole system. */
const liveMaxShare = 0.05
/** Of the process that serves the pages. */
const memoryMaxMb = 200
/** The start, the books and the reservations cause work for some seconds. */
const settleMs = 15_000
const warmUp = 20

type Visited = { path: string; as: string }

const customer = cookieOf('customer', readerOf(0))
const staff = cookieOf('stock-manager', 'jun')
const purchaser = cookieOf('purchaser', 'hana')
const operator = cookieOf('operator', 'ops')

const pagesOf = ({ books }: Library): Visited[] => [
  { path: '/', as: customer },
  { path: '/?q=the', as: customer },
  { path: `/book/${books[0]!.bookid}`, as: customer },
  { path: '/me', as: customer },
  { path: '/me/settings', as: customer },
  { path: `/desk?scan=${readerOf(0)}`, as: staff },
  { path: '/shelf/pull', as: staff },
  { path: '/shelf/ready', as: staff },
  { path: `/return?scan=${readerOf(0)}`, as: staff },
  { path: '/receive', as: staff },
  { path: '/stock', as: staff },
  { path: `/stock/${books[0]!.bookid}`, as: staff },
  { path: '/wanted', as: purchaser },
  { path: '/orders', as: purchaser },
  { path: '/ops', as: operator },
  { path: '/ops/letters', as: operator },
  { path: '/ops/notices', as: operator },
]

/** @returns whether all goals are met. */
export async function measure(library: Library, options: MeasureOptions): Promise<boolean> {
  await sleep(settleMs)
  const isFast = await measureSpeed(library, options)
  const isCheap = await measureLive(library, options)
  const megabytes = usageOf(library.webPid).residentBytes / 2 ** 20
  console.log(`\nMemory of web, at most`.padEnd(53), `${megabytes.toFixed(0).padStart(5)} MB`)
  return isFast && isCheap && megabytes < memoryMaxMb
}

/** One request after the other, up to the last byte. So the time of the client is in it. */
async function measureSpeed(library: Library, { requests }: MeasureOptions): Promise<boolean> {
  const { web } = library.urls
  let isFast = true
  let cpuMs = 0
  console.log(`\nTime of a page, of ${requests} in turn`.padEnd(33), '  median      p95')
  for (const { path, as } of pagesOf(library)) {
    const get = () => read(`${web}${path}`, as)
    for (let i = 0; i < warmUp; i++) await get()
    const times: number[] = []
    const before = usageOf(library.webPid).cpuMs
    for (let i = 0; i < requests; i++) {
      const startedAt = performance.now()
      await get()
      times.push(performance.now() - startedAt)
    }
    cpuMs += usageOf(library.webPid).cpuMs - before
    const typical = median(times)
    isFast &&= typical < medianMaxMs
    const p95 = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.95)]!
    console.log(path.padEnd(32), ms(typical), ms(p95))
  }
  const each = cpuMs / (requests * pagesOf(library).length)
  console.log(`web: ${each.toFixed(1)} ms of CPU for a page`)
  return isFast
}

/** Compares the whole system, with its stores, with and without open pages. */
async function measureLive(library: Library, { pages, seconds }: MeasureOptions): Promise<boolean> {
  const { web } = library.urls
  const share = async () => {
    const before = usageOf(library.pid).cpuMs
    await sleep(seconds * 1_000)
    return (usageOf(library.pid).cpuMs - before) / (seconds * 1_000)
  }
  const line = (text: string, value: number) => console.log(text.padEnd(52), percent(value))
  console.log(`\nCPU of the whole system for ${seconds} s, in shares of a core`)
  const idle = await share()
  line('no page is open', idle)
  const open = async (path: string, cookies: string[]) => {
    const gone = new AbortController()
    const streams = await Promise.all(cookies.map((as) => follow(`${web}${path}`, as, gone.signal)))
    // Each page reads its reservations when it opens.
    await sleep(3_000)
    const cost = (await share()) - idle
    gone.abort()
    await Promise.all(streams.map((it) => it.ended))
    await sleep(3_000)
    return cost
  }
  const customers = Array.from({ length: pages }, (_, n) => cookieOf('customer', readerOf(n % readers)))
  const live = await open('/me/stream', customers)
  line(`${pages} pages of customers that follow changes, more`, live)
  line('1 page of an operator, more', await open('/ops/stream', [operator]))
  return live < liveMaxShare
}

async function read(url: string, as: string): Promise<void> {
  const response = await fetch(url, { headers: { cookie: `as=${as}` } })
  await response.arrayBuffer()
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}`)
}

/** Resolves once the stream has begun; `ended` resolves at its end. */
async function follow(url: string, as: string, signal: AbortSignal): Promise<{ ended: Promise<void> }> {
  const response = await fetch(url, { headers: { cookie: `as=${as}` }, signal })
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}`)
  const drain = async () => {
    for await (const _ of response.body!);
  }
  return { ended: drain().catch(() => {}) }
}

const ms = (value: number): string => `${value.toFixed(1).padStart(6)} ms`
const percent = (share: number): string => `${(share * 100).toFixed(1).padStart(5)} %`
