/**
 * SOLAPI, a Korean provider of text messages and KakaoTalk: one message per call of `send-many/detail`.
 *
 * Request: `Authorization: HMAC-SHA256 apiKey=…, date=…, salt=…, signature=…`, where the signature is the hex of
 * HMAC-SHA256 over date and salt. SOLAPI accepts a pair of date and salt once, so each attempt has its own signature.
 * Answer: 200 means that the call was understood. The message was accepted only if `failedMessageList` is empty. An error
 * is JSON with an `errorCode`. Only the operator can fix a wrong key or an empty account, so notices wait for that.
 *
 * Sources: https://developers.solapi.com/references/authentication/api-key,
 * https://developers.solapi.com/references/messages/sendManyDetail,
 * https://github.com/solapi/solapi-nodejs (`getAuthInfo`, `defaultFetcher`, `detailGroupMessageResponseSchema`)
 */
import { createHmac, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { dialledInKorea } from '../../../platform/addresses.ts'
import { webhookUrl } from '../../../platform/setting.ts'
import type { Outcome } from '../delivery/delivery.ts'
import { jsonOf, judge, shown, wordIn } from './answer.ts'
import type { Tried } from './breaker.ts'
import { type Answer, Caller } from './caller.ts'
import type { Receiver } from './receiver.ts'

export type SolapiAccount = {
  /** The base URL of the API, without a path. */
  url: string
  apiKey: string
  apiSecret: string
  /** The sender's number, registered with SOLAPI. */
  from: string
}

export const accountNames = ['SOLAPI_API_KEY', 'SOLAPI_API_SECRET', 'SOLAPI_FROM'] as const

export const solapiSettings = {
  SOLAPI_URL: webhookUrl('https://api.solapi.com')
    .default('https://api.solapi.com')
    .describe('Base URL of SOLAPI'),
  SOLAPI_API_KEY: z
    .string()
    .regex(/^[A-Za-z0-9]+$/, 'must be letters and digits')
    .optional()
    .describe('API key of the SOLAPI account that sends text messages and AlimTalks'),
  SOLAPI_API_SECRET: z.string().optional().describe('Its secret'),
  SOLAPI_FROM: z
    .string()
    .regex(/^[0-9-]{3,20}$/, 'must be a phone number like 02-1234-5678')
    .optional()
    .describe('Its registered sender number, such as `02-1234-5678`'),
}

export const accountOf = (it: z.infer<z.ZodObject<typeof solapiSettings>>): SolapiAccount | undefined =>
  it.SOLAPI_API_KEY
    ? {
        url: it.SOLAPI_URL,
        apiKey: it.SOLAPI_API_KEY,
        apiSecret: it.SOLAPI_API_SECRET!,
        from: it.SOLAPI_FROM!,
      }
    : undefined

export type SolapiMessage =
  | { type: 'SMS'; text: string }
  | { type: 'LMS'; subject: string; text: string }
  | { type: 'ATA'; kakaoOptions: KakaoOptions }

type KakaoOptions = {
  pfId: string
  templateId: string
  /** Keys are `#{name}`. */
  variables: Record<string, string>
  disableSms: boolean
}

export class Solapi {
  readonly #account: SolapiAccount
  readonly #receiver: Receiver
  readonly #caller = new Caller({ allowPrivate: true })
  readonly #now: () => number

  constructor(account: SolapiAccount, receiver: Receiver, now: () => number = Date.now) {
    this.#account = account
    this.#receiver = receiver
    this.#now = now
  }

  /** @param noticeid identifies the message at SOLAPI. */
  send(noticeid: string, phone: string | null | undefined, message: SolapiMessage): Promise<Outcome> {
    const to = dialledInKorea(phone ?? '')
    if (to === undefined) {
      const error = phone ? 'The phone number is not Korean' : 'The phone number is no longer known'
      return Promise.resolve({ type: 'failed', error })
    }
    const { url, from } = this.#account
    const body = JSON.stringify({
      messages: [{ to, from: from.replaceAll('-', ''), ...message, customFields: { noticeid } }],
    })
    return this.#receiver.run((signal) =>
      this.#caller.post(
        'SOLAPI',
        {
          url: new URL('/messages/v4/send-many/detail', url),
          headers: { authorization: this.#authorization() },
          body,
          signal,
        },
        judgeSolapi,
      ),
    )
  }

  close(): void {
    this.#caller.close()
  }

  #authorization(): string {
    const { apiKey, apiSecret } = this.#account
    const date = new Date(this.#now()).toISOString()
    const salt = randomBytes(16).toString('hex')
    const signature = createHmac('sha256', apiSecret)
      .update(date + salt)
      .digest('hex')
    return `HMAC-SHA256 apiKey=${apiKey}, date=${date}, salt=${salt}, signature=${signature}`
  }
}

/** A user's text must not name a variable, because SOLAPI would replace it. */
export const withoutVariables = (text: string): string => text.replaceAll('#{', '# {')

/** A wrong key, missing permissions, or an empty account. */
const operatorErrors = new Set([401, 402, 403])

async function judgeSolapi(answer: Answer): Promise<Tried> {
  const { status } = answer
  // Without its body a 200 means nothing, so a body that breaks off is an error like any other.
  const body = jsonOf(status === 200 ? await answer.body : await answer.body.catch(() => ''))
  const code = wordIn(body.errorCode)
  if (operatorErrors.has(status)) {
    const said = `${status} ${code}`.trim()
    return {
      outcome: { type: 'retry', error: `SOLAPI answered ${said}`, answer: `HTTP ${said}` },
      down: true,
    }
  }
  if (status !== 200) return judge(answer, 'SOLAPI', code)
  const { failedMessageList: failed, groupInfo } = body
  if (!Array.isArray(failed)) {
    const error = 'SOLAPI answered 200 without a list of failed messages'
    return { outcome: { type: 'retry', error, answer: 'HTTP 200' }, down: true }
  }
  if (failed.length > 0) {
    const { statusCode, statusMessage } = failed[0] as { statusCode?: unknown; statusMessage?: unknown }
    const said = shown([statusCode, statusMessage].filter((it) => typeof it === 'string').join(' '))
    return { outcome: { type: 'failed', error: `SOLAPI refused the message: ${said}`, answer: said } }
  }
  const { groupId } = (groupInfo ?? {}) as { groupId?: unknown }
  return judge(answer, 'SOLAPI', typeof groupId === 'string' ? shown(groupId) : '')
}
