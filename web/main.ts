/** The pages: HTML for people, from the HTTP APIs of the services. They have no stores, so any number may run, and any may be down. */
import { runProcess } from '../platform/process.ts'
import { createPages } from './app.ts'
import { toPagesConfig } from './config.ts'

await runProcess(
  'web',
  () => toPagesConfig(process.env),
  async (given) => ({
    app: await createPages(given),
    pulses: () => [],
    // A service that is down shows on the pages, and is no reason to send people elsewhere.
    ready: async () => {},
    reach: async () => {},
    loops: [],
    close: async () => {},
  }),
)
