/** The versions of Postgres, Redis and Valkey on this machine, besides the embedded Postgres. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { findProgram } from '../local/processes/program.ts'
import { root } from '../local/root.ts'

/** The path of a Postgres is the folder of its programs. */
export type Found = { name: string; path: string }

const unpacked = join(root, 'node_modules', '.cache', 'programs')
const listed = (folder: string) => (existsSync(folder) ? readdirSync(folder) : [])
const named = (variable: string) => (process.env[variable] ?? '').split(delimiter).filter(Boolean)

/** The versions in `POSTGRES_BINS`, and in the folders of distributions. */
export function postgresServers(): Found[] {
  const folders = [
    ...named('POSTGRES_BINS'),
    ...['/usr', ...listed(unpacked).map((it) => join(unpacked, it, 'usr'))].flatMap((usr) =>
      listed(join(usr, 'lib/postgresql')).map((version) => join(usr, 'lib/postgresql', version, 'bin')),
    ),
    ...listed('/usr')
      .filter((it) => it.startsWith('pgsql-'))
      .map((it) => join('/usr', it, 'bin')),
    ...listed('/usr/libexec')
      .filter((it) => it.startsWith('postgresql'))
      .map((it) => join('/usr/libexec', it)),
  ]
  return distinct(folders.filter((it) => existsSync(join(it, 'initdb'))).map((path) => postgresAt(path)))
}

/** First the one that `npm start` uses, then unpacked ones and those of `REDIS_SERVERS`. */
export function redisServers(): Found[] {
  const onPath = ['redis-server', 'valkey-server']
    .map((it) => findProgram(it))
    .filter((it) => it !== undefined)
  const installed = listed(unpacked).flatMap((it) =>
    listed(join(unpacked, it, 'usr/bin'))
      .filter((name) => /^(redis|valkey)-server/.test(name))
      .map((name) => join(unpacked, it, 'usr/bin', name)),
  )
  return distinct([...onPath, ...installed, ...named('REDIS_SERVERS')].filter(existsSync).map(redisAt))
}

function postgresAt(path: string): Found | undefined {
  const version = output(join(path, 'postgres'))?.match(/\d+\.\d+/)?.[0]
  return version ? { name: `Postgres ${version}`, path } : undefined
}

function redisAt(path: string): Found | undefined {
  const text = output(path)
  const version = text?.match(/v=([\d.]+)/)?.[1]
  return version ? { name: `${/valkey/i.test(text!) ? 'Valkey' : 'Redis'} ${version}`, path } : undefined
}

/** Undefined if the program does not run here. */
function output(command: string): string | undefined {
  try {
    return execFileSync(command, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return undefined
  }
}

const distinct = (all: (Found | undefined)[]): Found[] => [
  ...new Map(all.filter((it) => it !== undefined).map((it) => [it.name, it])).values(),
]
