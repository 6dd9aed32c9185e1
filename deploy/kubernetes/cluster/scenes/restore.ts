/** A backup is restored, by the commands of deploy/README.md: what came after it is gone, and everything works. */

import type { Scene, Stage } from '../stage.ts'
import { overlay } from './deployment.ts'
import { upgrade } from './upgrade.ts'

const services = ['reservation', 'stock', 'notifier']

export const restore: Scene = {
  name: 'restore',
  heading: 'Backup and restore',
  async play(stage) {
    const receive = (qty: number) =>
      stage.call('ingress', 'stock', '/stocks', { body: { bookid: 'backup', qty, title: 'Backup' } })
    await receive(1)
    await reserve(stage, 'before')
    const dump = `pg_dump -U postgres -Fc bookreservation | base64`
    const backup = await stage.kubectl('exec', 'postgres-0', '--', 'sh', '-c', dump)
    await receive(1)
    const lost = await reserve(stage, 'after')
    stage.check('a reservation after the backup', lost, 'Reserved', lost === 'Reserved')

    const since = performance.now()
    await stage.kubectl('delete', 'hpa', '--all')
    await stage.kubectl('scale', 'deployment', ...services, '--replicas=0')
    await stage.kubectl(
      'wait',
      '--for=delete',
      'pod',
      '-l',
      'app.kubernetes.io/component=service',
      '--timeout=1m',
    )
    await stage.sql('drop schema if exists reservation, stock, notifier, web cascade')
    await stage.pipe(
      backup,
      'exec',
      '-i',
      'postgres-0',
      '--',
      'sh',
      '-c',
      'base64 -d | pg_restore -U postgres -d bookreservation',
    )
    await stage.kubectl('delete', 'job', 'migrate', '--ignore-not-found')
    const rendered = await stage.cluster.kubectl('kustomize', overlay)
    await stage.pipe(
      rendered.replace('deploy/ops/migrate.ts', 'deploy/ops/restored/main.ts'),
      'apply',
      '-f',
      '-',
    )
    await stage.kubectl('wait', '--for=condition=complete', 'job/migrate', '--timeout=5m')
    await stage.kubectl('scale', 'deployment', ...services, '--replicas=2')
    await stage.kubectl('wait', '--for=condition=available', 'deployment', '--all', '--timeout=5m')
    stage.took('restored and available', since, 120)

    const again = await reserve(stage, 'again')
    stage.check(
      'a reservation of the copy that is left',
      again,
      'Failed, because the backup had none',
      again === 'Failed',
    )
    await receive(1)
    const next = await reserve(stage, 'next')
    stage.check('the same after another receipt', next, 'Reserved', next === 'Reserved')
    const [[after]] = (await stage.sql(
      "select count(*) from reservation.reservation where userid = 'after'",
    )) as [[string]]
    stage.check('reservations from after the backup', after, '0', after === '0')
    await upgrade(stage, {})
  },
}

async function reserve(stage: Stage, userid: string): Promise<string> {
  const body = { bookid: 'backup', userid }
  const answer = await stage.call('ingress', 'reservation', '/reservations', {
    body,
    headers: { prefer: 'wait=5' },
  })
  return (JSON.parse(answer.body || '{}') as { status?: string }).status ?? String(answer.status)
}
