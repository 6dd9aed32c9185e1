/** `npm run docs`: generates the tables of docs/settings.md from the schemas of the settings, and `openapi/` from the routes. */
import { readFile, writeFile } from 'node:fs/promises'
import { writeDocuments } from './openapi/write.ts'
import { settingsFile, withTables } from './settings-doc.ts'

await writeFile(settingsFile, withTables(await readFile(settingsFile, 'utf8')))
try {
  await writeDocuments(process.argv.includes('--break-clients'))
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
