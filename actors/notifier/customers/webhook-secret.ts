/** `npm run notices:secret -- USERID` prints the secrets with which a customer's webhook verifies our calls. */
import { ConfigError, readEnv, toConfig } from '../../../platform/config.ts'
import { secretFor } from '../channels/signing.ts'
import { notifierSettings } from '../config.ts'

const [userid] = process.argv.slice(2)
/** The stores are not used. */
const stores = { DATABASE_URL: 'postgres://nowhere', REDIS_URL: 'redis://nowhere' }

function print(): void {
  const env = readEnv(process.env, notifierSettings)
  const { webhookSecrets } = toConfig('notifier', { ...stores, ...env }, notifierSettings)
  if (userid === undefined || webhookSecrets.length === 0)
    throw new ConfigError(['Usage: WEBHOOK_SECRETS=whsec_… npm run notices:secret -- USERID'])
  for (const secret of webhookSecrets) console.log(secretFor(userid, secret))
}

try {
  print()
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  for (const fault of error.faults) console.error(fault)
  process.exitCode = 1
}
