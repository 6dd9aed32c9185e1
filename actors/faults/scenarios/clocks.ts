/** Clocks that disagree: those of the services with each other's, with that of Postgres, and that with Redis's. */
import { noFakeClock } from '../../testing/fake-clock.ts'
import { acceptsAlways, type Scenario } from './scenario.ts'

export const clocks: Scenario[] = [
  {
    name: 'clocks-apart',
    title: 'the clocks of all are off, by up to an hour; Redis loses all it has, again and again',
    world: {
      clocks: {
        reservation: ['-1h', '-10m'],
        stock: ['+1h', '-1h'],
        notifier: ['-1h', '+1h'],
        // So that of Redis is ten minutes behind.
        postgres: '+10m',
      },
    },
    needs: acceptsAlways,
    unable: async () => noFakeClock,
    async fault(stage) {
      for (let times = 0; times < 4; times++) {
        await stage.seconds(stage.random.between(0.5, 2))
        stage.note('FLUSHALL')
        await stage.world.admin.flushall()
      }
    },
  },
]
