/**
 * Reduces package.json and its lock to the packages of the image: those that the services import, and Deno if they run on it.
 * Called while the image is built, with the runtime as its argument. Versions and checksums stay those of the lock.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const [runtime] = process.argv.slice(2)
if (runtime !== 'node' && runtime !== 'deno') throw new Error(`RUNTIME must be node or deno, not ${runtime}`)

const read = (file) => JSON.parse(readFileSync(file, 'utf8'))
const write = (file, content) => writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`)

const { name, version, type, dependencies, optionalDependencies } = read('package.json')
const lock = read('package-lock.json')

// npm installs the one for the machine.
const denos = Object.entries(optionalDependencies).filter(([it]) => it.startsWith('@deno/'))
const programs = runtime === 'deno' ? Object.fromEntries(denos) : {}

const kept = { name, version, type, private: true, dependencies, optionalDependencies: programs }
// npm does not install packages that nothing depends on.
lock.packages[''] = kept
write('package.json', kept)
write('package-lock.json', lock)
