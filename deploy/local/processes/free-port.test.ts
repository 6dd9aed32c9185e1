import { createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { root } from '../root.ts'
import { startChild } from './child.ts'
import { onPort } from './free-port.ts'

let taken: Server | undefined
afterEach(() => taken?.close())

/** Fails as services do when their port is taken. */
async function startServer(port: number): Promise<number> {
  const script = `
    import { serve } from './platform/http/serve.ts'
    await serve({ fetch: () => new Response('ok') }, { host: '127.0.0.1', port: ${port} })
    console.log('listening')`
  const child = await startChild({
    command: process.execPath,
    args: ['--input-type=module', '-e', script],
    cwd: root,
    graceMs: 200,
  })
  try {
    await Promise.race([child.line(/^listening/, 20_000), child.ends()])
    return port
  } finally {
    await child.stop()
  }
}

test('a port that another process takes meanwhile is replaced, and no other one is', async () => {
  const outer: number[] = []
  const inner: number[] = []
  const started = await onPort(0, async (port) => {
    outer.push(port)
    if (outer.length === 1) {
      taken = createServer()
      await new Promise<void>((done) => taken!.listen(port, '127.0.0.1', done))
    }
    return await onPort(0, async (other) => {
      inner.push(other)
      return await startServer(port)
    })
  })
  expect(outer).toHaveLength(2)
  expect(inner).toHaveLength(2)
  expect(started).toBe(outer[1])
})

test('a given port is not replaced', async () => {
  taken = createServer()
  await new Promise<void>((done) => taken!.listen(0, '127.0.0.1', done))
  const { port } = taken.address() as { port: number }
  const lines = [expect.stringContaining(`Port ${port} is in use`)]
  await expect(onPort(port, startServer)).rejects.toMatchObject({ lines: expect.arrayContaining(lines) })
})
