/** Another time for a process than the machine's, by libfaketime: the system's clock is off, its timers are not. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Where distributions put it: a folder by itself, under one for the kind of machine if there is such. */
const homes = ['/usr/lib64', '/usr/lib', '/usr/local/lib']

function findLibrary(): string | undefined {
  if (process.platform !== 'linux') return undefined
  const dirs = homes.filter((it) => existsSync(it)).flatMap((it) => [it, ...triplets(it)])
  return dirs.map((it) => join(it, 'faketime', 'libfaketimeMT.so.1')).find((it) => existsSync(it))
}

const triplets = (dir: string) =>
  readdirSync(dir)
    .filter((it) => it.includes('-linux-'))
    .map((it) => join(dir, it))

const library = findLibrary()

/** Why no clock can be put off here; undefined if one can. */
export const noFakeClock = library
  ? undefined
  : 'libfaketime is not installed (apt-get install faketime, on Linux)'

/** @param offset as in `-1h`, `+10m`. @returns what a process needs in its environment. */
export const clockOff = (offset: string): Record<string, string> => ({
  LD_PRELOAD: library!,
  FAKETIME: offset,
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
  DONT_FAKE_MONOTONIC: '1',
})
