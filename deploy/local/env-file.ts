/** Preloaded by commands that use the settings of `npm start`: reads `.env`. A variable of the environment wins over the file. */
import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'

// Not by `process.loadEnvFile`, because on Deno the file would win.
const variables = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {}
for (const [name, value] of Object.entries(variables)) process.env[name] ??= value
