/**
 * Sends notices by text message. A text of up to 90 bytes in EUC-KR, where a Korean letter takes two, goes as SMS. A longer one
 * goes as LMS, with up to 2,000 bytes and a subject of 40.
 * Source: https://developers.solapi.com/references/messages/sendManyDetail (`type`, `text`, `subject`)
 */
import { needs } from '../../../platform/setting.ts'
import type { Channel } from '../delivery/delivery.ts'
import { type Message, writeMessage } from '../templates/message.ts'
import { bytesInSms, smsBytesMax } from '../templates/sms-length.ts'
import { cut } from './cut.ts'
import { defineChannel } from './descriptor.ts'
import { type Limits, Receiver } from './receiver.ts'
import {
  accountNames,
  accountOf,
  Solapi,
  type SolapiAccount,
  type SolapiMessage,
  solapiSettings,
  withoutVariables,
} from './solapi.ts'

const lmsBytesMax = 2_000
const subjectBytesMax = 40

const limits: Limits = { concurrent: 16, limitMs: 10_000 }

export const sms = defineChannel({
  name: 'sms',
  address: 'phone',
  staff: ['operator'],
  limits,
  settings: solapiSettings,
  check: (it, context) => needs(it, context, accountNames, accountNames),
  open(settings, { now, limits }) {
    const account = accountOf(settings)
    return account && smsChannel({ account, now, ...limits })
  },
})

type SmsOptions = Partial<Limits> & { account: SolapiAccount; now?: () => number }

export function smsChannel({ account, now, ...some }: SmsOptions): Channel<'sms'> {
  const receiver = new Receiver({ ...limits, ...some })
  const solapi = new Solapi(account, receiver, now)
  return {
    name: 'sms',
    get capacity() {
      return receiver.capacity
    },
    restMs: () => receiver.restMs,
    deliver: (notice) =>
      solapi.send(
        notice.noticeid,
        notice.phone,
        textOf(writeMessage(notice, notice.locale, notice.timeZone)),
      ),
    close: () => solapi.close(),
  }
}

export function textOf({ title, short = title }: Message & { short?: string }): SolapiMessage {
  const text = withoutVariables(short)
  if (bytesInSms(text) <= smsBytesMax) return { type: 'SMS', text }
  const subject = cut(withoutVariables(title), subjectBytesMax, { weigh: bytesInSms })
  return { type: 'LMS', subject, text: cut(text, lmsBytesMax, { weigh: bytesInSms }) }
}
