/** In place of SOLAPI: a provider of text messages that checks their signature, and prints what it accepts. It runs in a pod. */
import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'

type Message = { to: string; from: string; text: string }

createServer(async (request, response) => {
  const body = await text(request)
  const given = request.headers.authorization ?? ''
  const [, date, salt, signature] = /date=(\S+), salt=(\w+), signature=(\w+)$/.exec(given) ?? []
  const hmac = createHmac('sha256', process.env.SOLAPI_API_SECRET!).update(`${date}${salt}`).digest('hex')
  const accepted = request.url === '/messages/v4/send-many/detail' && signature === hmac
  if (accepted) for (const it of JSON.parse(body).messages as Message[]) console.log(JSON.stringify(it))
  response.writeHead(accepted ? 200 : 403, { 'content-type': 'application/json' })
  const answer = { failedMessageList: [], groupInfo: { groupId: 'G4V1' } }
  response.end(JSON.stringify(accepted ? answer : { errorCode: 'SignatureDoesNotMatch' }))
}).listen(8080)
process.once('SIGTERM', () => process.exit())
