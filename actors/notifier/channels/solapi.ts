/**
 * SOLAPI, a Korean provider of text messages and KakaoTalk: one message per call of `send-many/detail`.
 *
 * Asked: `Authorization: HMAC-SHA256 apiKey=…, date=…, salt=…, signature=…`, where the signature is the hex of
 * HMAC-SHA256 over date and salt. SOLAPI takes a pair of date and salt once, so each try is signed anew.
 * Answered: 200 means that the call was understood. The message was taken only if `failedMessageList` is empty. An
 * error is JSON with a word as its `errorCode`. A wrong key or an empty account is for the operator to mend, so
 * notices wait for that.
 *
 * Sources: https://developers.solapi.com/references/authentication/api-key,
 * https://developers.solapi.com/references/messages/sendManyDetail,
 * https://github.com/solapi/solapi-nodejs (`getAuthInfo`, `defaultFetcher`, `detailGroupMessageResponseSchema`)
 */
import { createHmac, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { dialledInKorea } from '../../addresses.ts'
import { webhookUrl } from '../../setting.ts'
import type { Outcome } from '../delivery/delivery.ts'
import { jsonOf, judge, shown, wordIn } from './answer.ts'
import { type Answer, Caller } from './caller.ts'
import type { Receiver, Tried } from './receiver.ts'

export type SolapiAccount = {
  /** Of the API, without a path. */
  url: string
  apiKey: string
  apiSecret: string
  /** The sender's number, as it is registered with SOLAPI. */
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

export type KakaoOptions = {
  pfId: string
  templateId: string
  /** By `#{name}`. */
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

  /** @param noticeid by which the message can be found again at SOLAPI. */
  send(noticeid: string, phone: string | null | undefined, message: SolapiMessage): Promise<Outcome> {
    const to = dialledInKorea(phone ?? '')
    if (to === undefined) {
      const error = phone ? 'The phone number is not a Korean one' : 'No phone number is known any more'
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

/** What others wrote may not name a variable: SOLAPI would put something in its place. */
export const withoutVariables = (text: string): string => text.replaceAll('#{', '# {')

/** The key is wrong, or may not do this, or the account is empty. */
const operatorsToMend = new Set([401, 402, 403])

async function judgeSolapi(answer: Answer): Promise<Tried> {
  const { status } = answer
  // Without the body of a 200 nobody knows: that it broke off is an error like any other.
  const body = jsonOf(status === 200 ? await answer.body : await answer.body.catch(() => ''))
  const code = wordIn(body.errorCode)
  if (operatorsToMend.has(status)) {
    const said = `${status} ${code}`.trim()
    return {
      outcome: { type: 'retry', error: `SOLAPI answered ${said}`, answer: `HTTP ${said}` },
      down: true,
    }
  }
  if (status !== 200) return judge(answer, 'SOLAPI', code)
  const { failedMessageList: failed, groupInfo } = body
  if (!Array.isArray(failed)) {
    const error = 'SOLAPI answered 200 without telling what it took'
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
