/** A mail server that keeps what it is sent, and can refuse or forget to answer. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'

export type Mail = { messageId: string; to: string[]; subject: string; raw: string }

export class MailSink implements AsyncDisposable {
  readonly mails: Mail[] = []
  readonly #server: SMTPServer

  private constructor() {
    this.#server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS', 'AUTH'],
      logger: false,
      onData: (stream, session, done) => {
        text(stream).then((raw) => {
          const recipients = session.envelope.rcptTo.map((recipient) => recipient.address)
          this.mails.push(toMail(raw, recipients))
          done()
        }, done)
      },
    })
    // A client that is killed in the middle of a mail is no fault of the sink.
    this.#server.on('error', () => {})
  }

  static async start(): Promise<MailSink> {
    const sink = new MailSink()
    const server = sink.#server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return sink
  }

  get url(): string {
    return `smtp://127.0.0.1:${(this.#server.server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(resolve))
  }
}

function toMail(raw: string, to: string[]): Mail {
  const head = raw.slice(0, raw.indexOf('\r\n\r\n')).replaceAll(/\r\n[ \t]+/g, ' ')
  const header = (name: string) => head.match(new RegExp(`^${name}: *(.*)$`, 'im'))?.[1]?.trim() ?? ''
  return { messageId: header('message-id'), to, subject: header('subject'), raw }
}
