/** Callers say who they are: a program with a token and a role is let in, others are not. The last scene, because identity stays on. */
import { createHash } from 'node:crypto'
import { books, type Scene, type Stage } from '../stage.ts'
import { upgrade } from './upgrade.ts'

const token = 'the-token-of-the-desk-on-the-cluster'
const hash = createHash('sha256').update(token).digest('hex')

export const identity: Scene = {
  name: 'identity',
  heading: 'Identity',
  async play(stage) {
    const since = performance.now()
    const envFrom = '/spec/template/spec/containers/0/envFrom/-'
    await upgrade(stage, {
      secretGenerator: [
        { name: 'callers', literals: ['IDENTITY=on', `API_TOKENS=desk:stock-manager:${hash}`] },
      ],
      patches: [
        {
          target: { kind: 'Deployment', labelSelector: 'app.kubernetes.io/component=service' },
          patch: JSON.stringify([{ op: 'add', path: envFrom, value: { secretRef: { name: 'callers' } } }]),
        },
      ],
    })
    stage.took('turned on', since, 120)
    const found = [await reserve(stage), await reserve(stage, 'another'), await reserve(stage, token)].join()
    stage.check(
      'without a token, with another, with that of the desk',
      found,
      '401,401,201',
      found === '401,401,201',
    )
  },
}

async function reserve(stage: Stage, token?: string): Promise<number> {
  const body = { bookid: books[0], userid: 'anyone' }
  const headers = token ? { authorization: `Bearer ${token}` } : undefined
  const { status } = await stage.call('ingress', 'reservation', '/reservations', { body, headers })
  return status
}
