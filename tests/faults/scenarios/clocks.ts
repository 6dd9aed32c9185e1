/** Wrong clocks: those of the services, of Postgres and of Redis all disagree. */
import { noFakeClock } from '../../doubles/fake-clock.ts'
import { acceptsAlways, type Scenario } from './scenario.ts'

export const clocks: Scenario[] = [
  {
    name: 'clocks-apart',
    title: 'all clocks are off by up to an hour; Redis loses all data, repeatedly',
    world: {
      clocks: {
        reservation: ['-1h', '-10m'],
        stock: ['+1h', '-1h'],
        notifier: ['-1h', '+1h'],
        // So the clock of Redis is ten minutes behind.
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
