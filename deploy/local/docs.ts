/** `npm run docs`: generates the tables of docs/settings.md from the schemas of the settings. */
import { readFile, writeFile } from 'node:fs/promises'
import { settingsFile, withTables } from './settings-doc.ts'

await writeFile(settingsFile, withTables(await readFile(settingsFile, 'utf8')))
