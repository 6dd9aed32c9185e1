/** The commands that worked with this system's predecessor work here. */
import { expect, test } from 'vitest'
import { http } from './doubles/httpie.ts'
import { canceledNotice, makeOriginalCalls, noticesShown, reservedNotice } from './harness/original-calls.ts'
import { useSystem } from './harness/system.ts'

const system = useSystem()

test("the predecessor's calls get the predecessor's responses, and the console shows the notices", async () => {
  await makeOriginalCalls(system())
  expect(await noticesShown(system(), reservedNotice, 'test1')).toBe(1)
  expect(await noticesShown(system(), canceledNotice, 'test1')).toBe(1)
})

test('a notice of a reservation made while the notifier was stopped arrives after its start', async () => {
  const notifier = system().processes.notifier[0]!
  await notifier.stop()
  expect((await http('POST', system().stock, '/stocks', 'bookid=3', 'qty=1')).status).toBe(201)
  const { status, body } = await http(
    'POST',
    system().reservation,
    '/reservations',
    'Prefer:wait=10',
    'bookid=3',
    'userid=patient',
  )
  expect(status).toBe(201)
  expect(body.status).toBe('Reserved')
  await notifier.start()
  expect(await noticesShown(system(), reservedNotice, 'patient')).toBe(1)
})
