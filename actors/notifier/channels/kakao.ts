/**
 * Sends notices by AlimTalk, KakaoTalk's messages from companies. Kakao approves each text in advance, so a call names the
 * template and the values of its variables. If KakaoTalk cannot reach a recipient, SOLAPI sends a text message instead,
 * unless the operator has turned that off.
 * Sources: https://developers.solapi.com/references/kakao, https://github.com/solapi/solapi-nodejs
 * (`examples/javascript/common/src/kakao/send/send_alimtalk.js`)
 */
import { z } from 'zod'
import { needs, oneOf, pairs } from '../../../platform/setting.ts'
import type { Channel, DueNotice, Outcome } from '../delivery/delivery.ts'
import { defaultLocale, languageOf, shownIn } from '../templates/message.ts'
import { cut } from './cut.ts'
import { defineChannel } from './descriptor.ts'
import { type Limits, Receiver } from './receiver.ts'
import {
  accountNames,
  accountOf,
  Solapi,
  type SolapiAccount,
  solapiSettings,
  withoutVariables,
} from './solapi.ts'

/** The limit of a variable is not documented. A template with all of them accepts 1,000 characters. */
const variableMax = 200

const limits: Limits = { concurrent: 16, limitMs: 10_000 }
const templatePairs = 'must be like reserved=KA01TP…,cancelled=KA01TP…,reserved.en=KA01TP…'

export const kakao = defineChannel({
  name: 'kakao',
  address: 'phone',
  staff: [],
  limits,
  settings: {
    ...solapiSettings,
    KAKAO_PF_ID: z.string().optional().describe('KakaoTalk channel that sends AlimTalks'),
    KAKAO_TEMPLATES: pairs(
      /^[a-z-]+(\.[a-z]{2,3})?$/,
      z.string().min(1, templatePairs),
      templatePairs,
    ).describe('Approved templates, such as `reserved=ID,cancelled=ID,reserved.en=ID`'),
    KAKAO_SMS_FALLBACK: oneOf('true', 'false')
      .default('true')
      .describe('Fall back to SMS when KakaoTalk cannot reach the recipient'),
  },
  check(it, context) {
    needs(it, context, ['KAKAO_PF_ID'], ['KAKAO_TEMPLATES', ...accountNames])
    needs(it, context, ['KAKAO_TEMPLATES'], ['KAKAO_PF_ID'])
  },
  open(settings, { now, limits }) {
    const { KAKAO_PF_ID: pfId, KAKAO_TEMPLATES: templates = {}, KAKAO_SMS_FALLBACK } = settings
    const account = accountOf(settings)
    const smsFallback = KAKAO_SMS_FALLBACK === 'true'
    return account && pfId
      ? kakaoChannel({ account, now, pfId, templates, smsFallback, ...limits })
      : undefined
  },
})

type KakaoSettings = {
  /** Identifies the sending channel. */
  pfId: string
  /** By kind of notice (`reserved`), or by kind and language (`reserved.en`). */
  templates: Record<string, string>
  smsFallback: boolean
}

type KakaoChannelOptions = Partial<Limits> & KakaoSettings & { account: SolapiAccount; now?: () => number }

export function kakaoChannel(options: KakaoChannelOptions): Channel<'kakao'> {
  const { account, now, pfId, templates, smsFallback, ...some } = options
  const receiver = new Receiver({ ...limits, ...some })
  const solapi = new Solapi(account, receiver, now)
  return {
    name: 'kakao',
    get capacity() {
      return receiver.capacity
    },
    restMs: () => receiver.restMs,
    async deliver(notice): Promise<Outcome> {
      const templateId = templateOf(notice, templates)
      if (templateId === undefined)
        return { type: 'failed', error: `No AlimTalk template for notices of kind ${notice.kind}` }
      const kakaoOptions = { pfId, templateId, variables: variablesOf(notice), disableSms: !smsFallback }
      return solapi.send(notice.noticeid, notice.phone, { type: 'ATA', kakaoOptions })
    },
    close: () => solapi.close(),
  }
}

function templateOf({ kind, locale }: DueNotice, templates: Record<string, string>): string | undefined {
  const [language] = (locale ?? defaultLocale).toLowerCase().split('-')
  return templates[`${kind}.${language}`] ?? templates[kind]
}

/** Named as in the API. A variable without a value is empty, except the title: a book is always named. */
function variablesOf(notice: DueNotice): Record<string, string> {
  const language = languageOf(notice.locale)
  const { bookid, author, reservationid, userid, reason, shortage, ...shown } = shownIn(
    language,
    notice,
    notice.timeZone,
  )
  const { position, until: pickupBy, note, waiting } = shown
  const title = shown.title ?? bookid ?? language.someBook
  const values = {
    title,
    author,
    bookid,
    reservationid,
    userid,
    reason,
    shortage,
    position,
    pickupBy,
    note,
    waiting: waiting || null,
  }
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      `#{${name}}`,
      cut(withoutVariables(String(value ?? '')), variableMax),
    ]),
  )
}
