/** Applying the same manifests again replaces nothing. */

import type { Scene, Stage } from '../stage.ts'
import { overlay } from './deployment.ts'

type Objects = { items: { kind: string; metadata: { name: string; uid: string; generation?: number } }[] }

export const again: Scene = {
  name: 'again',
  heading: 'The same manifests, applied again',
  async play(stage) {
    const before = await versions(stage)
    await stage.cluster.kubectl('apply', '-k', overlay)
    const after = await versions(stage)
    const changed = Object.keys(after).filter((it) => after[it] !== before[it])
    stage.check('objects and pods that changed', changed.join() || 'none', 'none', changed.length === 0)
    stage.check(
      'objects and pods that were compared',
      Object.keys(after).length,
      '40 or more',
      Object.keys(after).length >= 40,
    )
  },
}

/** An object's generation counts the changes of what it demands. */
async function versions(stage: Stage): Promise<Record<string, string>> {
  const applied = JSON.parse(await stage.cluster.kubectl('get', '-k', overlay, '-o', 'json')) as Objects
  const pods = await stage.json<Objects>('pods')
  return Object.fromEntries(
    [...applied.items, ...pods.items].map(({ kind, metadata: { name, uid, generation } }) => [
      `${kind}/${name}`,
      `${uid} ${generation ?? ''}`,
    ]),
  )
}
