/** `npm run docs`: generates the tables of docs/settings.md and `.env.example` from the schemas of the settings, and
 * `openapi/` and the table of docs/security.md from the routes. */
import { readFile, writeFile } from 'node:fs/promises'
import { writeDocuments } from './openapi/write.ts'
import { securityFile, withCalls } from './security-doc.ts'
import { exampleFile, exampleOf, settingsFile, shapes, withTables } from './settings-doc.ts'

await writeFile(settingsFile, withTables(await readFile(settingsFile, 'utf8')))
await writeFile(securityFile, withCalls(await readFile(securityFile, 'utf8')))
await writeFile(exampleFile, exampleOf(shapes))
try {
  await writeDocuments(process.argv.includes('--break-clients'))
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
