/** Preloaded by commands that inspect a system. They use the servers of the running `npm start` unless the settings name others. */
import './env-file.ts'
import { runningSystem } from './servers/running.ts'

const servers = runningSystem(process.env.DATA_DIR || '.data')
if (servers) {
  process.env.DATABASE_URL ||= servers.databaseUrl
  process.env.REDIS_URL ||= servers.redisUrl
}
