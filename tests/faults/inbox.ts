/** Every notice that reached the mail server and the webhooks, and whether it was accepted. */
import type { ServerResponse } from 'node:http'
import { MailSink } from '../doubles/mail-sink.ts'
import { WebhookSink } from '../doubles/webhook-sink.ts'
import type { ServiceProcess } from '../harness/service-process.ts'
import type { Harm } from './harm.ts'

export type Channel = 'email' | 'webhook' | 'chat'

export type Delivery = {
  channel: Channel | 'console'
  noticeid: string
  at: number
  /** Whether the receiver accepted it. */
  answered: boolean
}

/** Behaviors of receivers. `refuse` is permanent and `busy` temporary; `cut` sends half a response. */
export const moods = ['take', 'refuse', 'busy', 'hang', 'cut'] as const
export type Mood = (typeof moods)[number]

const mailAnswers = { take: 'take', refuse: 554, busy: 451, hang: 'hang', cut: 'cut' } as const

export class Inbox implements AsyncDisposable {
  readonly deliveries: Delivery[] = []
  /** The answer to the next delivery. */
  moodOf: (channel: Channel) => Mood = () => 'take'
  readonly #mail: MailSink
  readonly #own: WebhookSink
  readonly #chat: WebhookSink

  private constructor(mail: MailSink, own: WebhookSink, chat: WebhookSink) {
    this.#mail = mail
    this.#own = own
    this.#chat = chat
    mail.answer = ({ messageId }) =>
      mailAnswers[this.#note('email', messageId.slice(1, messageId.indexOf('@')))]
    for (const [channel, sink] of [
      ['webhook', own],
      ['chat', chat],
    ] as const) {
      sink.answer = ({ headers }, response) =>
        answer(response, this.#note(channel, String(headers['idempotency-key'])))
    }
  }

  static async start(): Promise<Inbox> {
    return new Inbox(await MailSink.start(), await WebhookSink.start(), await WebhookSink.start())
  }

  get smtpUrl(): string {
    return this.#mail.url
  }

  /** URL of the customers' own webhooks. */
  get webhookUrl(): string {
    return this.#own.url
  }

  get chatUrl(): string {
    return this.#chat.url
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#mail, this.#own, this.#chat].map((sink) => sink[Symbol.asyncDispose]()))
  }

  #note(channel: Channel, noticeid: string): Mood {
    const mood = this.moodOf(channel)
    this.deliveries.push({ channel, noticeid, at: Date.now(), answered: mood === 'take' })
    return mood
  }
}

/** Notices on the consoles of notifier processes. */
export const consoleDeliveries = (processes: ServiceProcess[]): Delivery[] =>
  processes.flatMap(({ logs }) =>
    logs
      .filter(({ msg, noticeid }) => msg.startsWith('#####') && noticeid)
      .map(({ noticeid, time }) => ({
        channel: 'console',
        noticeid: String(noticeid),
        at: Date.parse(String(time)),
        answered: true,
      })),
  )

/** How long before its line a process may have hung: the longest wait for a receiver. */
const hungMs = 10_000

/**
 * @returns when processes hung for longer than a lease, as they reported: on a machine that is too busy. Messages that they had sent by
 * then are sent again, as promise 7 says.
 */
export const hangs = (processes: ServiceProcess[]): Harm[] =>
  processes
    .flatMap(({ logs }) => logs)
    .filter(
      ({ msg, err }) => /^fenced out/.test(msg) || /: the leases are about to run out/.test(messageOf(err)),
    )
    .map(({ time }) => Date.parse(String(time)))
    .map((to) => ({ what: 'notifier', from: to - hungMs, to }))

const messageOf = (err: unknown) => String((err as { message?: string } | undefined)?.message)

/**
 * @returns the notices of which notifiers reported that no answer arrived in time, as on a machine that is too busy. They are sent
 * again, as promise 7 says.
 */
export const unheard = (processes: ServiceProcess[]): Set<string> =>
  new Set(
    processes
      .flatMap(({ logs }) => logs)
      .filter(({ msg, reason }) => msg.startsWith('notice not sent') && noAnswer.test(String(reason)))
      .map(({ noticeid }) => String(noticeid)),
  )

const noAnswer = /: (no answer in time|ECONNRESET|ETIMEDOUT)$/

/** @returns how many lines consoles dropped because this process was slow to read them. Notices may be among them. */
export const linesDropped = (processes: ServiceProcess[]): number =>
  processes
    .flatMap(({ logs }) => logs)
    .filter(({ msg }) => msg.startsWith('log lines dropped'))
    .reduce((sum, { lines }) => sum + Number((lines as { info?: number }).info ?? 0), 0)

function answer(response: ServerResponse, mood: Mood): void {
  if (mood === 'take') response.writeHead(204).end()
  else if (mood === 'refuse') response.writeHead(410).end()
  else if (mood === 'busy') response.writeHead(503).end()
  else if (mood === 'cut') response.socket?.write('HTTP/1.1 2', () => response.socket?.destroy())
}
