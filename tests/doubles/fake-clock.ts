/** A wrong clock for a process, with libfaketime: its system clock is off, its timers are not. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The folders that distributions install it to, under one for the architecture if that exists. */
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

/** Why clocks cannot be faked here; undefined if they can. */
export const noFakeClock = library
  ? undefined
  : 'libfaketime is not installed (apt-get install faketime, on Linux)'

/** @param offset as in `-1h`, `+10m`. @returns environment variables for a process. */
export const clockOff = (offset: string): Record<string, string> => ({
  LD_PRELOAD: library!,
  FAKETIME: offset,
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
  DONT_FAKE_MONOTONIC: '1',
})
