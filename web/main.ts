/**
 * The pages: HTML for people, from the HTTP APIs of the services. All that they store is which sessions have ended, so any number may run,
 * and any may be down.
 */
import { runProcess } from '../platform/process.ts'
import { openTracing } from '../platform/tracing/open.ts'
import { createPages } from './app.ts'
import { toPagesConfig } from './config.ts'
import { Login } from './identity/login.ts'

await runProcess(
  'web',
  () => toPagesConfig(process.env),
  async (given) => {
    const { login: settings } = given.config
    const tracing = await openTracing({ ...given.config, service: 'web' }, given.log)
    const login = settings && new Login(settings, given.log)
    return {
      app: await createPages({ ...given, tracing }, login),
      pulses: () => [],
      // A service or a database that is down is no reason to send people elsewhere.
      ready: async () => {},
      reach: async () => {},
      loops: [],
      async close() {
        await login?.close()
        await tracing?.close()
      },
    }
  },
)
