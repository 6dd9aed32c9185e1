/** Measures one channel while another dies and comes back. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MailSink } from '../../../tests/doubles/mail-sink.ts'
import { WebhookSink } from '../../../tests/doubles/webhook-sink.ts'
import type { Channel } from '../delivery/delivery.ts'
import { chatChannel } from './chat.ts'
import { emailChannel } from './email.ts'
import { notice } from './testing.ts'

let mails: MailSink
let chat: WebhookSink
beforeAll(async () => {
  mails = await MailSink.start()
  chat = await WebhookSink.start()
})
afterAll(async () => {
  await mails[Symbol.asyncDispose]()
  await chat[Symbol.asyncDispose]()
})

const mailsPerRound = 250
const rounds = 4
const concurrent = 4
const failuresMax = 5
const restMs = 60

/** Sends mails, some at a time. @returns how long each took, in milliseconds. */
async function measure(email: Channel): Promise<number[]> {
  const times: number[] = []
  let left = mailsPerRound
  const one = async () => {
    while (left-- > 0) {
      const from = performance.now()
      const outcome = await email.deliver(notice({ email: 'reader@example.com' }))
      expect(outcome.type).toBe('sent')
      times.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: concurrent }, one))
  mails.mails.length = 0
  return times
}

/** Offers a channel as much as it takes, as a dispatcher does, until `signal` is aborted. */
function offer(channel: Channel, counts: Record<string, number>): () => Promise<void> {
  let going = true
  const loop = async () => {
    while (going) {
      const room = channel.restMs!() > 0 ? 0 : channel.capacity
      const outcomes = await Promise.all(Array.from({ length: room }, () => channel.deliver(notice())))
      for (const { type } of outcomes) counts[type] = (counts[type] ?? 0) + 1
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const looping = loop()
  return async () => {
    going = false
    await looping
  }
}

const p99 = (times: number[]) => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)]!

// On a shared machine a single measurement may be off.
test('while a channel is dead, is tested and comes back, the others are as fast as before', {
  retry: 3,
}, async () => {
  const email = emailChannel({ smtpUrl: mails.url, from: 'books@library.example', concurrent })
  await measure(email)
  const normal: number[] = []
  const beside: number[] = []
  for (let round = 0; round < rounds; round++) {
    normal.push(...(await measure(email)))

    chat.hooks.length = 0
    // For a third of a round it hangs, then it hangs up, and finally it is back.
    chat.answer = () => {}
    const counts: Record<string, number> = {}
    const breaker = { failuresMax, restMs }
    const dying = chatChannel({ url: chat.url, limitMs: 20, concurrent: failuresMax, breaker })
    const stop = offer(dying, counts)
    beside.push(...(await measure(email)))
    const whileDead = chat.hooks.length
    expect(dying.restMs!() > 0 || dying.capacity === 1).toBe(true)
    chat.answer = (_, response) => response.writeHead(204).end()
    while (!counts.sent) await new Promise((resolve) => setTimeout(resolve, 5))
    await stop()
    dying.close!()
    // Apart from the first failures and one attempt after each rest, it was left alone.
    expect(whileDead).toBeGreaterThanOrEqual(failuresMax + 1)
    expect(counts.retry).toBeLessThan(failuresMax + 30)
  }
  email.close!()
  const ratio = p99(beside) / p99(normal)
  console.log(
    `p99 of ${normal.length} mails: ${p99(normal).toFixed(1)} ms; beside a dead channel ${p99(beside).toFixed(1)} ms (×${ratio.toFixed(2)})`,
  )
  expect(ratio).toBeLessThanOrEqual(1.5)
})
