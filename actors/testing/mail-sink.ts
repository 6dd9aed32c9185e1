/** A mail server that keeps what it is sent, and can refuse or forget to answer. */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'

export type Mail = { messageId: string; to: string[]; subject: string; raw: string }
/** What becomes of a mail: taken, refused with an SMTP code, never answered, or cut off in the middle of the answer. */
export type MailAnswer = 'take' | 'hang' | 'cut' | number

export class MailSink implements AsyncDisposable {
  /** Every mail that came whole, also those that were not taken. */
  readonly mails: Mail[] = []
  answer: (mail: Mail) => MailAnswer = () => 'take'
  readonly #server: SMTPServer

  private constructor() {
    this.#server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS', 'AUTH'],
      logger: false,
      onData: (stream, session, done) => {
        text(stream).then((raw) => {
          const recipients = session.envelope.rcptTo.map((recipient) => recipient.address)
          const mail = toMail(raw, recipients)
          this.mails.push(mail)
          const answer = this.answer(mail)
          if (answer === 'take') done()
          else if (answer === 'cut') this.#cut(session.id)
          else if (answer !== 'hang') done(Object.assign(new Error('Not taken'), { responseCode: answer }))
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

  /** Half an answer, and the connection is gone. */
  #cut(sessionId: string): void {
    const connections = (this.#server as unknown as { connections: Set<Connection> }).connections
    for (const { id, _socket } of connections) {
      if (id === sessionId) _socket.write('25', () => _socket.destroy())
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(resolve))
  }
}

type Connection = { id: string; _socket: Socket }

function toMail(raw: string, to: string[]): Mail {
  const head = raw.slice(0, raw.indexOf('\r\n\r\n')).replaceAll(/\r\n[ \t]+/g, ' ')
  const header = (name: string) => head.match(new RegExp(`^${name}: *(.*)$`, 'im'))?.[1]?.trim() ?? ''
  return { messageId: header('message-id'), to, subject: header('subject'), raw }
}
