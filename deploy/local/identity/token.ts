/** `npm run token`: prints a token for a system that was started with `npm start -- --identity`. */
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { roles } from '../../../platform/identity/caller.ts'
import { runCommand } from '../../ops/command.ts'
import { dataDirOf } from '../settings.ts'
import { signToken } from './key.ts'

const help = `Prints a token for a system that was started with npm start -- --identity.

  npm run --silent token -- [--userid ID] [--role ROLE]… [--hours N]

  --userid ID  the person as a customer
  --role ROLE  one of ${roles.join(', ')}; may be repeated (customer)
  --hours N    how long it is valid (12)

The key is in DATA_DIR (.data). With HTTPie:

  http -A bearer -a $(npm run --silent token -- --role stock-manager) POST :8082/stocks bookid=1 qty=3`

const chosen = z.array(z.enum(roles, `--role must be one of ${roles.join(', ')}`))
const hoursSchema = z.coerce.number('--hours must be a number').positive('--hours must be above 0')

await runCommand(async () => {
  const { values } = parseArgs({
    options: {
      userid: { type: 'string' },
      role: { type: 'string', multiple: true, default: ['customer'] },
      hours: { type: 'string', default: '12' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return console.log(help)
  const [granted, hours] = [chosen.safeParse(values.role), hoursSchema.safeParse(values.hours)]
  const fault = granted.error ?? hours.error
  if (!granted.success || !hours.success) throw new Error(fault!.issues[0]!.message)
  if (granted.data.includes('customer') && values.userid === undefined)
    throw new Error('Name the customer: --userid ID')
  const dataDir = dataDirOf(process.env)
  console.log(await signToken(dataDir, { userid: values.userid, roles: granted.data, hours: hours.data }))
})
