/** The same source files run on Deno. */
import { expect, test } from 'vitest'
import { canceledNotice, makeOriginalCalls, noticesShown, reservedNotice } from './harness/original-calls.ts'
import { useSystem } from './harness/system.ts'

const system = useSystem({ runtime: 'deno' })

test("the services run on Deno and answer the predecessor's calls", async () => {
  await makeOriginalCalls(system())
  expect(await noticesShown(system(), reservedNotice, 'test1')).toBe(1)
  expect(await noticesShown(system(), canceledNotice, 'test1')).toBe(1)
})

test('a service on Deno stops cleanly on a signal, and starts again', async () => {
  const stock = system().processes.stock[0]!
  await stock.stop()
  await stock.start()
  expect((await system().stock.get('/stocks/1')).status).toBe(200)
})
