import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { prettyFactory } from 'pino-pretty'
import { expect, test } from 'vitest'
import { createOutput } from './output.ts'

/** A starter with two services that log more than the reader reads. */
const starter = `
  const { openOutput } = await import(${JSON.stringify(new URL('./output.ts', import.meta.url).href)})
  const output = openOutput('json')
  const [one, other] = ['stock', 'notifier'].map((it) => output.of(it))
  output.say('it begins')
  for (let i = 0; i < 10_000; i++) {
    one(JSON.stringify({ level: 'info', service: 'stock', i, msg: 'x'.repeat(100) }))
    other(JSON.stringify({ level: i === 5_000 ? 'warn' : 'debug', service: 'notifier', i, msg: 'x'.repeat(100) }))
    if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  output.say('it ends')`

test('the starter keeps running and ends although its output is not read', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', starter], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [code] = await once(child, 'exit')
  expect(code).toBe(0)
})

test('a reader that comes back in time finds the latest lines, and how many were dropped', async () => {
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `${starter}\nprocess.stderr.write('all is said')\nsetTimeout(() => {}, 3_000)`,
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  await once(child.stderr, 'data')
  const lines = (await text(child.stdout)).trim().split('\n')
  const shown = lines.map((line) => JSON.parse(line) as { msg: string; service: string; level: string })
  expect(shown.some(({ service, level }) => service === 'notifier' && level === 'warn')).toBe(true)
  expect(
    shown.filter(({ service }) => service === 'start').map(({ msg }) => msg.replace(/[:{].*/, '')),
  ).toEqual(['it begins', 'it ends', 'Dropped lines because the reader was behind'])
})

const head = '{"level":"info","time":"2026-11-30T00:47:28.123Z","service":"stock"'
test.each([
  `${head},"reservationid":"0198","status":"Failed","reason":null,"msg":"decided"}`,
  `${head},"msg":"decided"}`,
  `${head},"facts":{"msg":"in it","n":[1,2.5]},"text":"a \\"quoted\\",\\n\\"msg\\":\\"text\\"}","msg":"decided"}`,
  `${head},"msg":"a \\"quoted\\" text"}`,
  `${head},"name":"of a logger","msg":"decided"}`,
  `${head},"err":{"type":"Error","message":"boom","stack":"Error: boom\\n at x"},"msg":"failed"}`,
  `${head.replace('info', 'warn')},"a":1,"msg":"decided"}`,
  `${head},"msg":""}`,
  `${head},"a":1}`,
  'no JSON',
])('%s is rendered as pino-pretty does', (line) => {
  for (const isTTY of [true, false]) {
    const written: string[] = []
    const output = createOutput('pretty', { isTTY, add: (_, text) => written.push(text) })
    const options = { colorize: isTTY, ignore: 'service', translateTime: 'HH:MM:ss.l', singleLine: true }
    output.of('notifications')(line)
    const prefix = isTTY ? '\x1b[36mnotifications\x1b[0m ' : 'notifications '
    const expected = prettyFactory(options)(line).trimEnd().split('\n')
    expect(written).toEqual([`${expected.map((it) => prefix + it).join('\n')}\n`])
  }
})
