/** Policies refuse strangers, and the namespace refuses pods with more rights than it gives. */
import { clusterImage } from '../images.ts'
import { namespace, type Scene } from '../stage.ts'

export const strangers: Scene = {
  name: 'strangers',
  heading: 'Strangers',
  async play(stage) {
    for (const service of ['reservation', 'stock', 'web'] as const) {
      const known = await stage.call('ingress', service, '/robots.txt', { seconds: 3 })
      const stranger = await stage.call('stranger', service, '/robots.txt', { seconds: 3 })
      stage.check(
        `${service} answers the ingress controller, and not a stranger`,
        `${known.status || 'nothing'}, ${stranger.status || 'nothing'}`,
        'an answer, nothing',
        known.status > 0 && stranger.status === 0,
      )
    }
    const { host } = await stage.addressOf('reservation')
    const inside = `fetch('http://${host}:8081/books').then(() => 'reached', () => 'refused').then(console.log)`
    const reached = await stage.kubectl(
      'exec',
      'deployment/stock',
      '-c',
      'service',
      '--',
      'node',
      '-e',
      inside,
    )
    stage.check('a service calls another', reached, 'refused', reached === 'refused')

    const unrestricted = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'unrestricted', namespace },
      spec: { containers: [{ name: 'it', image: clusterImage }] },
    }
    const refusal = await stage.cluster.apply(unrestricted).then(
      () => 'admitted',
      (error: Error) =>
        error.message.includes('violates PodSecurity "restricted') ? 'refused' : error.message,
    )
    stage.check(
      'a pod without a security context in the namespace',
      refusal,
      'refused',
      refusal === 'refused',
    )
  },
}
