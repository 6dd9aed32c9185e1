/** A mail server that keeps every mail, and can refuse or not answer. */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'
import type { Certificate } from './certificate.ts'

export type Mail = { messageId: string; to: string[]; subject: string; raw: string }
/** The fate of a mail: accepted, refused with an SMTP code, never answered, or cut off in the middle of the reply. */
export type MailAnswer = 'take' | 'hang' | 'cut' | number

export type MailSinkOptions = {
  /** Offers STARTTLS, or speaks TLS from the start if `secure`. */
  certificate?: Certificate
  secure?: boolean
  /** The login that clients need. */
  user?: { name: string; password: string }
}

export class MailSink implements AsyncDisposable {
  /** Every complete mail, including those that were not accepted. */
  readonly mails: Mail[] = []
  answer: (mail: Mail) => MailAnswer = () => 'take'
  /** The SMTP code for a refused recipient. */
  refuses: (address: string) => number | undefined = () => undefined
  /** How many connections were made so far, and how many mails came over TLS. */
  connections = 0
  encrypted = 0
  readonly #server: SMTPServer
  readonly #options: MailSinkOptions

  private constructor(options: MailSinkOptions) {
    const { certificate, secure = false, user } = options
    this.#options = options
    this.#server = new SMTPServer({
      ...(certificate ? { key: certificate.key, cert: certificate.cert } : {}),
      secure,
      authOptional: user === undefined,
      disabledCommands: [
        ...(certificate && !secure ? [] : ['STARTTLS' as const]),
        ...(user ? [] : ['AUTH' as const]),
      ],
      logger: false,
      onConnect: (_, done) => {
        this.connections++
        done()
      },
      onAuth: ({ username, password }, _, done) => {
        if (username === user?.name && password === user?.password) done(null, { user: username })
        // As a careless server does.
        else done(Object.assign(new Error(`${username} with ${password} is refused`), { responseCode: 535 }))
      },
      onRcptTo: ({ address }, _, done) => {
        const responseCode = this.refuses(address)
        done(responseCode ? Object.assign(new Error(`<${address}> is refused`), { responseCode }) : null)
      },
      onData: (stream, session, done) => {
        text(stream).then((raw) => {
          const recipients = session.envelope.rcptTo.map((recipient) => recipient.address)
          const mail = toMail(raw, recipients)
          if (session.secure) this.encrypted++
          this.mails.push(mail)
          const answer = this.answer(mail)
          if (answer === 'take') done()
          else if (answer === 'cut') this.#cut(session.id)
          else if (answer !== 'hang') done(Object.assign(new Error('Not taken'), { responseCode: answer }))
        }, done)
      },
    })
    // A client killed in the middle of a mail is not an error of the sink.
    this.#server.on('error', () => {})
  }

  static async start(options: MailSinkOptions = {}): Promise<MailSink> {
    const sink = new MailSink(options)
    const server = sink.#server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return sink
  }

  get url(): string {
    const { secure, user } = this.#options
    const login = user ? `${user.name}:${user.password}@` : ''
    return `${secure ? 'smtps' : 'smtp'}://${login}127.0.0.1:${(this.#server.server.address() as AddressInfo).port}`
  }

  /** Sends half a reply and closes the connection. */
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
