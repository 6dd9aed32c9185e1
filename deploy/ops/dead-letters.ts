/** `npm run dead-letters`: messages set aside, listed, handled again or dropped. */
import { parseArgs } from 'node:util'
import { ConfigError, readEnv, serviceNames, toConfig } from '../../platform/config.ts'
import { dropLetters, listLetters, redriveLetters, type Which } from '../../streams/dead-letter.ts'
import { closing, openPostgres } from '../../streams/postgres.ts'
import { runCommand } from './command.ts'

const help = `Messages that a service could not handle, each with its reason.

  npm run dead-letters -- list    --service NAME
  npm run dead-letters -- redrive --service NAME (--all | --partition N --position ID)
  npm run dead-letters -- drop    --service NAME (--all | --partition N --position ID)

redrive: the partition's owner handles the message again, out of order. If it fails again, it stays, with the new reason.
A message whose content could not be stored cannot be redriven.
drop: deletes the message.

DATABASE_URL names the database; the default is a running \`npm start\`.`

const listMax = 200

function parse() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      service: { type: 'string' },
      all: { type: 'boolean' },
      partition: { type: 'string' },
      position: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const [action] = positionals
  if (values.help || action === undefined) return undefined
  const service = serviceNames.find((it) => it === values.service)
  if (!service) throw new ConfigError([`--service must be one of ${serviceNames.join(', ')}`])
  if (action === 'list') return { action, service } as const
  if (action !== 'redrive' && action !== 'drop')
    throw new ConfigError([`Unknown action ${action}: use list, redrive or drop`])
  return { action, service, which: whichOf(values) } as const
}

type Named = { all?: boolean; partition?: string; position?: string }

function whichOf({ all, partition, position }: Named): Which {
  if (all) return 'all'
  if (!partition || !/^\d+$/.test(partition) || !position)
    throw new ConfigError(['Name the messages: --all, or --partition N --position ID'])
  return { partition: Number(partition), position }
}

await runCommand(async () => {
  const asked = parse()
  if (!asked) return console.log(help)
  const { databaseUrl } = toConfig('stock', { REDIS_URL: 'redis://unused', ...readEnv() })
  await using sql = closing(openPostgres(databaseUrl, { schema: asked.service, max: 1 }))
  if (asked.action === 'list') {
    const letters = await listLetters(sql, listMax)
    for (const { partition, position, at, redrive, reason, fields } of letters) {
      console.log(
        `${partition} ${position}  ${at.toISOString()}${redrive ? '  (will be handled again)' : ''}\n  ${reason}`,
      )
      console.log(`  ${JSON.stringify(fields)}`)
    }
    console.log(
      letters.length === listMax
        ? `Only the oldest ${listMax} are shown.`
        : `${letters.length} dead letters.`,
    )
  } else if (asked.action === 'redrive') {
    console.log(`${await redriveLetters(sql, asked.which)} will be handled again.`)
  } else {
    console.log(`${await dropLetters(sql, asked.which)} dropped.`)
  }
})
