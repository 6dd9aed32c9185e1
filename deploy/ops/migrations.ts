/**
 * The migrations of each service, and of the pages: the SQL files of its folders, folder by folder, each in the order of its names. A new file is
 * found by itself. A released file is never edited; the next change is a new file. No folder may need a later one.
 */
import { readdirSync } from 'node:fs'
import type { ProcessName } from '../../platform/config.ts'

/** Applied ones are recorded by name, so no two files of a service have the same. */
type Migration = { name: string; file: URL }

const everyone = ['streams/migrations', 'platform/http/migrations', 'platform/identity/migrations']

const folders: Record<ProcessName, string[]> = {
  reservation: [...everyone, 'actors/reservation/migrations'],
  // The only one that publishes events.
  stock: [...everyone, 'streams/migrations/event-log', 'actors/stock/migrations'],
  notifier: [...everyone, 'actors/notifier/migrations'],
  web: ['web/migrations'],
}

/** Migrations that a service of this version needs before it starts, in order. */
export const migrationsOf = (service: ProcessName): Migration[] => folders[service].flatMap(filesIn)

function filesIn(folder: string): Migration[] {
  const url = new URL(`../../${folder}/`, import.meta.url)
  const names = readdirSync(url).filter((name) => name.endsWith('.sql'))
  return names.sort().map((name) => ({ name, file: new URL(name, url) }))
}
