/** The mail server has accepted the mail, and that is not recorded yet. */
import { createTransport } from 'nodemailer'
import { crashAt } from './point.ts'

const mailer = Object.getPrototypeOf(createTransport({ jsonTransport: true })) as {
  sendMail(...args: never[]): unknown
}
crashAt('after', mailer, 'sendMail')
