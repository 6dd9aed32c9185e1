/** Slack, Discord and Teams, each against a server that refuses what the real one refuses. */
import type { ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { KnownBlock } from '@slack/types'
import type { RESTPostAPIWebhookWithTokenJSONBody } from 'discord-api-types/v10'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Hook, WebhookSink } from '../../../tests/doubles/webhook-sink.ts'
import type { Channel, DueNotice } from '../delivery/delivery.ts'
import { writeMessage } from '../templates/message.ts'
import { samples } from '../templates/samples.ts'
import { discordChannel } from './discord.ts'
import { slackChannel } from './slack.ts'
import { teamsChannel } from './teams.ts'
import { alarming, deliver, notice, sly } from './testing.ts'

let server: WebhookSink
beforeAll(async () => {
  server = await WebhookSink.start()
})
beforeEach(() => {
  server.hooks.length = 0
})
afterAll(() => server[Symbol.asyncDispose]())

const asking = (some: Partial<DueNotice> = {}) =>
  notice({
    kind: 'purchase-requested',
    userid: null,
    reservationid: null,
    shortage: 3,
    locale: 'en',
    ...some,
  })
const at = (path: string) => new URL(path, server.url).href
const answerJson = (response: ServerResponse, status: number, body: object, headers = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
const isJson = ({ headers }: Hook) => headers['content-type'] === 'application/json'
/** A notice that is longer than any receiver accepts. */
const long = asking(alarming(`${sly}<&>*{{\u{1f4d6}`.repeat(1_000)))

// Slack

type Section = { type: string; text: { type: string; text: string; verbatim?: boolean } }
const slack = (options = {}) => slackChannel({ url: at('/services/T0/B0/token'), ...options })

function slackServer(hook: Hook, response: ServerResponse): void {
  const say = (status: number, word: string) =>
    response.writeHead(status, { 'content-type': 'text/html' }).end(word)
  const { text, blocks } = hook.body as { text: string; blocks: Section[] }
  const fits = ({ type, text: { type: kind, text } }: Section) =>
    type === 'section' && kind === 'mrkdwn' && text.length > 0 && text.length <= 3_000
  if (hook.path !== '/services/T0/B0/token') say(404, 'no_service')
  else if (!isJson(hook)) say(400, 'invalid_payload')
  else if (typeof text !== 'string' || text === '') say(400, 'no_text')
  else if (text.length > 40_000) say(400, 'msg_too_long')
  else if (!blocks.every(fits)) say(400, 'invalid_blocks')
  else say(200, 'ok')
}

/** Renders mrkdwn as Slack does: text in angle brackets is a link or a mention. */
function slackShows(mrkdwn: string): { text: string; links: string[] } {
  const decode = (text: string) =>
    text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
  return { text: decode(mrkdwn), links: mrkdwn.match(/<[^>]*>?/g) ?? [] }
}

test('Slack is sent text and blocks, byte by byte', async () => {
  server.answer = slackServer
  expect(await deliver(slack(), asking())).toEqual([{ type: 'sent', answer: 'HTTP 200 ok' }])
  const { title, text } = writeMessage(asking(), 'en')
  const section = (text: string) =>
    ({ type: 'section', text: { type: 'mrkdwn', text, verbatim: true } }) satisfies KnownBlock
  expect(server.hooks[0]!.raw).toBe(
    JSON.stringify({
      text: title,
      blocks: [section(`*${title}*`), section(text.trim())],
      unfurl_links: false,
      unfurl_media: false,
    }),
  )
})

test("in Slack, a user's text makes no link and no mention", async () => {
  server.answer = slackServer
  await deliver(slack(), asking(alarming(sly)))
  const { text, blocks } = server.hooks[0]!.body as { text: string; blocks: Section[] }
  for (const mrkdwn of [text, ...blocks.map((it) => it.text.text)]) {
    expect(slackShows(mrkdwn).links).toEqual([])
    expect(slackShows(mrkdwn).text).toContain(sly)
  }
  expect(blocks.every((it) => it.text.verbatim)).toBe(true)
})

test.each([
  [400, 'invalid_payload', 'failed'],
  [403, 'action_prohibited', 'failed'],
  [404, 'no_service', 'failed'],
  [410, 'channel_is_archived', 'failed'],
  [500, 'rollup_error', 'retry'],
  [200, 'something else', 'failed'],
])('from Slack, %i %s means %s', async (status, word, type) => {
  server.answer = (_, response) => response.writeHead(status).end(word)
  const [outcome] = await deliver(slack(), asking())
  const said = status === 200 ? 'HTTP 200' : `HTTP ${status} ${word}`
  expect(outcome).toMatchObject({ type, answer: said })
})

test('Slack accepts one message per second, and says how long to wait', async () => {
  server.answer = (_, response) => response.writeHead(429, { 'retry-after': '30' }).end('rate_limited')
  const channel = slack()
  expect(channel.capacity).toBe(1)
  expect(await channel.deliver(asking())).toEqual({
    type: 'retry',
    error: 'Slack answered 429 rate_limited',
    answer: 'HTTP 429 rate_limited',
    afterMs: 30_000,
  })
  expect(channel.restMs!()).toBeGreaterThan(25_000)
  channel.close!()
})

// Discord

type DiscordBody = { content: string; allowed_mentions: { parse: string[] }; flags: number }
const discord = (options = {}) => discordChannel({ url: at('/api/webhooks/1/token?thread_id=7'), ...options })

function discordServer(hook: Hook, response: ServerResponse): void {
  const url = new URL(hook.path, server.url)
  const { content } = hook.body as DiscordBody
  if (url.pathname !== '/api/webhooks/1/token')
    answerJson(response, 404, { message: 'Unknown Webhook', code: 10015 })
  else if (!isJson(hook) || content.length > 2_000)
    answerJson(response, 400, { message: 'Invalid Form Body', code: 50035 })
  else if (content.trim() === '')
    answerJson(response, 400, { message: 'Cannot send an empty message', code: 50006 })
  else if (url.searchParams.get('wait') === 'true') answerJson(response, 200, { id: '99', content })
  else response.writeHead(204).end()
}

/** Renders Markdown as Discord does: escaped characters are text, the others markup. */
function discordShows(content: string): { text: string; markup: string[] } {
  const escaped = /\\([^0-9A-Za-z\s])/g
  const markup = content.replaceAll(escaped, '').match(/[\\*_~`|>#[\]()<@:]|https?:/g)
  return { text: content.replaceAll(escaped, '$1'), markup: markup ?? [] }
}

test('Discord is sent content without mentions, byte by byte', async () => {
  server.answer = discordServer
  expect(await deliver(discord(), asking())).toEqual([{ type: 'sent', answer: 'HTTP 200' }])
  expect(server.hooks[0]!.path).toBe('/api/webhooks/1/token?thread_id=7&wait=true')
  expect(server.hooks[0]!.raw).toBe(
    JSON.stringify({
      content:
        '**Please buy\\: B1**\nWe had to turn down 3 reservations because no copies were left\\.\n\nBook\\: B1',
      allowed_mentions: { parse: [] },
      flags: 4,
    } satisfies RESTPostAPIWebhookWithTokenJSONBody),
  )
})

test("in Discord, a user's text makes no Markdown, no mention and no link", async () => {
  server.answer = discordServer
  await deliver(discord(), asking(alarming(sly)))
  const { content } = server.hooks[0]!.body as DiscordBody
  const [head, ...rest] = content.split('\n')
  expect(discordShows(head!.slice(2, -2))).toEqual({ text: `[alert] 1 firing: ${sly}`, markup: [] })
  expect(discordShows(rest.join('\n')).markup).toEqual([])
  expect(discordShows(content).text).toContain(`firing: ${sly}: ${sly}`)
})

test.each([
  [204, {}, 'sent', 'HTTP 204'],
  [400, { code: 50035, message: 'Invalid Form Body' }, 'failed', 'HTTP 400 50035'],
  [401, { code: 50027, message: 'Invalid Webhook Token' }, 'failed', 'HTTP 401 50027'],
  [404, { code: 10015, message: 'Unknown Webhook' }, 'failed', 'HTTP 404 10015'],
  [500, { message: '500: Internal Server Error', code: 0 }, 'retry', 'HTTP 500 0'],
])('from Discord, %i %o means %s', async (status, body, type, answer) => {
  server.answer = (_, response) =>
    status === 204 ? response.writeHead(204).end() : answerJson(response, status, body)
  expect(await deliver(discord(), asking())).toMatchObject([{ type, answer }])
})

test('Discord is left alone for as long as its JSON says, to the millisecond', async () => {
  server.answer = (_, response) =>
    answerJson(
      response,
      429,
      { message: 'You are being rate limited.', retry_after: 64.57, global: false },
      {
        'retry-after': '65',
        'x-ratelimit-remaining': '0',
        'x-ratelimit-reset-after': '64.57',
      },
    )
  const channel = discord()
  expect(await channel.deliver(asking())).toMatchObject({ type: 'retry', afterMs: 64_570 })
  expect(channel.restMs!()).toBeGreaterThan(60_000)
  expect(await channel.deliver(asking())).toMatchObject({ type: 'deferred' })
  expect(server.hooks).toHaveLength(1)
  channel.close!()
})

test('Discord is left alone once it reports that no call is left, before it refuses one', async () => {
  server.answer = (_, response) =>
    response.writeHead(204, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset-after': '9.5' }).end()
  const channel = discord()
  expect(await channel.deliver(asking())).toMatchObject({ type: 'sent' })
  expect(channel.restMs!()).toBeGreaterThan(8_000)
  channel.close!()
})

// Teams

const { AdaptiveCard, SerializationContext } = createRequire(import.meta.url)(
  'adaptivecards/dist/adaptivecards.js',
) as typeof import('adaptivecards')
type TeamsBody = {
  type: string
  attachments: { contentType: string; content: { body: { inlines: { type: string; text: string }[] }[] } }[]
}
const teams = (options = {}) =>
  teamsChannel({ url: at('/workflows/1/triggers/manual/paths/invoke?sig=token'), ...options })

/** The faults that the reference implementation finds in a card. */
function faultsOf(card: object): string[] {
  const parsed = new AdaptiveCard()
  const context = new SerializationContext()
  parsed.parse(card, context)
  const faults = Array.from({ length: context.eventCount }, (_, i) => context.getEventAt(i).message)
  return [...faults, ...parsed.validateProperties().validationEvents.map((it) => it.message)]
}

function teamsServer(hook: Hook, response: ServerResponse): void {
  const { type, attachments } = hook.body as TeamsBody
  const refuse = (status: number, code: string) =>
    answerJson(response, status, { error: { code, message: 'no' } })
  const url = new URL(hook.path, server.url)
  const card = attachments?.[0]?.content ?? {}
  const isCard = attachments?.[0]?.contentType === 'application/vnd.microsoft.card.adaptive'
  if (url.searchParams.get('sig') !== 'token') refuse(401, 'DirectApiAuthorizationRequired')
  else if (!isJson(hook) || type !== 'message' || !isCard) refuse(400, 'TriggerInputSchemaMismatch')
  else if (Buffer.byteLength(hook.raw) > 28 * 1024) refuse(413, 'RequestEntityTooLarge')
  else if (faultsOf(card).length > 0) refuse(400, 'InvalidCard')
  else response.writeHead(202).end()
}

test('Teams is sent a message with an adaptive card, byte by byte', async () => {
  server.answer = teamsServer
  expect(await deliver(teams(), asking())).toEqual([{ type: 'sent', answer: 'HTTP 202' }])
  const { title, text } = writeMessage(asking(), 'en')
  expect(server.hooks[0]!.path).toBe('/workflows/1/triggers/manual/paths/invoke?sig=token')
  expect(server.hooks[0]!.raw).toBe(
    JSON.stringify({
      type: 'message',
      attachments: [
        {
          contentType: 'application/vnd.microsoft.card.adaptive',
          contentUrl: null,
          content: {
            $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
            type: 'AdaptiveCard',
            version: '1.4',
            fallbackText: title,
            body: [
              {
                type: 'RichTextBlock',
                inlines: [{ type: 'TextRun', text: title, size: 'Medium', weight: 'Bolder' }],
              },
              { type: 'RichTextBlock', inlines: [{ type: 'TextRun', text: text.trim() }] },
            ],
            msteams: { width: 'Full' },
          },
        },
      ],
    }),
  )
})

test('the reference implementation of cards finds faults', () => {
  expect(faultsOf({ type: 'AdaptiveCard', version: '1.4', body: [{ type: 'Nonsense' }] })).not.toEqual([])
  expect(
    faultsOf({ type: 'AdaptiveCard', version: '1.4', body: [{ type: 'TextBlock', text: 'a', weight: 'x' }] }),
  ).not.toEqual([])
})

test("in Teams, a user's text is in runs without Markdown, and makes no date", async () => {
  server.answer = teamsServer
  await deliver(teams(), asking(alarming(sly)))
  const { body } = (server.hooks[0]!.body as TeamsBody).attachments[0]!.content
  expect(body.flatMap((it) => it.inlines.map((run) => run.type))).toEqual(['TextRun', 'TextRun'])
  expect(JSON.stringify(body)).not.toContain('{{')
  expect(body[1]!.inlines[0]!.text.replaceAll('\u200b', '')).toContain(sly)
})

test.each([
  [202, undefined, 'sent', 'HTTP 202'],
  [400, 'TriggerInputSchemaMismatch', 'failed', 'HTTP 400 TriggerInputSchemaMismatch'],
  [401, 'DirectApiAuthorizationRequired', 'failed', 'HTTP 401 DirectApiAuthorizationRequired'],
  [404, 'WorkflowNotFound', 'failed', 'HTTP 404 WorkflowNotFound'],
  [429, 'WorkflowRunActionThrottled', 'retry', 'HTTP 429 WorkflowRunActionThrottled'],
  [502, undefined, 'retry', 'HTTP 502'],
])('from Teams, %i %s means %s', async (status, code, type, answer) => {
  server.answer = (_, response) =>
    code
      ? answerJson(response, status, { error: { code, message: 'no' } })
      : response.writeHead(status).end('<html>')
  expect(await deliver(teams(), asking())).toMatchObject([{ type, answer }])
})

// All of them

const channels: [string, (options?: object) => Channel, (hook: Hook, response: ServerResponse) => void][] = [
  ['Slack', slack, slackServer],
  ['Discord', discord, discordServer],
  ['Teams', teams, teamsServer],
]

test.each(channels)('%s accepts a notice of every kind in both languages', async (_, open, answer) => {
  server.answer = answer
  const channel = open({ perSecond: 1_000 })
  for (const { subject } of samples)
    for (const locale of ['ko', 'en'])
      expect(await channel.deliver(notice({ ...subject, locale }))).toMatchObject({ type: 'sent' })
  channel.close!()
})

test.each(channels)('%s accepts a notice of any length', async (_, channel, answer) => {
  server.answer = answer
  expect(await deliver(channel(), long)).toMatchObject([{ type: 'sent' }])
  expect(server.hooks[0]!.raw).toContain('…')
})

test.each([
  ['Slack', () => slack({ limitMs: 50 })],
  ['Discord', () => discord({ limitMs: 50 })],
  ['Teams', () => teams({ limitMs: 50 })],
])('%s is retried later when it hangs or hangs up', async (_, channel) => {
  server.answer = () => {}
  expect(await deliver(channel(), asking())).toMatchObject([{ type: 'retry' }])
  server.answer = (_, response) => response.destroy()
  expect(await deliver(channel(), asking())).toMatchObject([{ type: 'retry' }])
})
