/** `compose.yaml`, started by podman-compose. Its stores come from a registry: where none can be reached, it is not run. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { processNames } from '../../platform/config.ts'
import { eventually } from '../../tests/doubles/eventually.ts'
import { Client } from '../../tests/harness/client.ts'
import { Contract } from '../../tests/harness/contract.ts'
import { makeOriginalCalls } from '../../tests/harness/original-calls.ts'
import { freePorts } from '../local/processes/free-port.ts'
import { findProgram } from '../local/processes/program.ts'
import { root } from '../local/root.ts'
import { basesOf, build } from './image.ts'
import { podman, podmanEnv } from './podman.ts'

const upMaxMs = 30_000

test('compose.yaml runs the system', { timeout: 10 * upMaxMs }, async ({ skip }) => {
  const { services } = parse(await readFile(join(root, 'compose.yaml'), 'utf8'), { merge: true })
  const leaveOut = (why: string) => {
    console.log(`compose.yaml is not run: ${why}`)
    return skip()
  }
  const program = findProgram('podman-compose-1.6.0')
  if (!program) return leaveOut('podman-compose could not be installed')
  for (const { image } of [services.postgres, services.redis])
    if (!(await isThere(image))) return leaveOut(`no registry has ${image}`)

  const image = await build('node', await basesOf(process.env))
  const ports = await freePorts(8)
  const names = processNames.flatMap((it) => ['_PORT', '_OPS_PORT'].map((port) => it.toUpperCase() + port))
  const project = `bookreservation-test-${process.pid}`
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...podmanEnv,
    ...Object.fromEntries(names.map((name, index) => [name, String(ports[index])])),
    BOOKRESERVATION_IMAGE: image,
    COMPOSE_PROJECT_NAME: project,
  }
  const compose = (...args: string[]) => promisify(execFile)(program, args, { cwd: root, env })
  const urlOf = (service: string, port: string) =>
    `http://127.0.0.1:${env[`${service.toUpperCase()}_${port}`]}`
  const clientOf = async (service: string) => {
    const contract = await Contract.read(urlOf(service, 'OPS_PORT'))
    return new Client(
      () => urlOf(service, 'PORT'),
      () => contract,
    )
  }
  const healthy = (service: string) => {
    const [kind, ...test] = services[service].healthcheck.test
    const command = kind === 'CMD' ? test : ['sh', '-c', ...test]
    return eventually(() => podman('exec', `${project}_${service}_1`, ...command).then(() => true), {
      timeoutMs: upMaxMs,
      message: `${service} never became healthy`,
    })
  }
  try {
    // In the order of `depends_on`, but step by step: without systemd, podman runs no healthchecks to wait for.
    const start = (...names: string[]) => compose('up', '--detach', '--no-build', '--no-deps', ...names)
    await start('postgres', 'redis')
    await healthy('postgres')
    await healthy('redis')
    await compose('run', '--rm', '--no-deps', 'migrate')
    await start(...processNames)
    for (const service of processNames) await healthy(service)
    await makeOriginalCalls({ reservation: await clientOf('reservation'), stock: await clientOf('stock') })
    expect((await fetch(`${urlOf('web', 'PORT')}/book/1`)).status).toBe(200)
    const { stdout } = await compose('logs', 'notifier')
    expect(stdout).toContain('##### 예약 완료 되었습니다 #####')
  } catch (error) {
    console.log((await compose('logs', '--tail=20')).stdout)
    throw error
  } finally {
    await compose('down', '--volumes')
  }
})

/** Whether a registry, or this machine, has an image. */
const isThere = (image: string) =>
  podman('image', 'exists', image)
    .catch(() => podman('pull', '--quiet', image))
    .then(
      () => true,
      () => false,
    )
