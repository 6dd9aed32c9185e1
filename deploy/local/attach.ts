/** Preloaded by the commands that look into a system: those of the running `npm start`, unless told of others. */
import { runningServers } from './running.ts'

const servers = runningServers(process.env.DATA_DIR || '.data')
if (servers) {
  process.env.DATABASE_URL ||= servers.databaseUrl
  process.env.REDIS_URL ||= servers.redisUrl
}
