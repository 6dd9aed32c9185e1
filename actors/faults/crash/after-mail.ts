/** The mail server has said that it has the mail, and that is not noted. */
import { createTransport } from 'nodemailer'
import { crashAt } from './point.ts'

const mailer = Object.getPrototypeOf(createTransport({ jsonTransport: true })) as {
  sendMail(...args: never[]): unknown
}
crashAt('after', mailer, 'sendMail')
