/** `npm run dev`: restarts the services whose files change. Postgres and Redis keep running, so no data is lost. */
import { existsSync, type FSWatcher, readdirSync, watch } from 'node:fs'
import { join, relative } from 'node:path'
import { type ProcessName, processNames } from '../../platform/config.ts'
import type { Supervised } from './processes/supervise.ts'
import { root } from './root.ts'
import type { Service } from './service.ts'

/** The folders whose files services import. */
const folders = ['actors', 'platform', 'streams', 'web']

/** An editor or git changes several files within this time. */
const gatherMs = 100

export function restartOnChange(running: Supervised<Service>[], say: (line: string) => void): Disposable {
  return watchSources((files) => {
    const concerned = servicesOf(files.filter((it) => !it.endsWith('.sql')))
    const chosen = concerned.flatMap((name) => running.filter(({ current }) => current.name === name))
    const names = chosen.map(({ current }) => current.name).join(', ')
    const migrations = files.filter((it) => it.endsWith('.sql'))
    if (migrations.length) say(`${listed(migrations)} changed: a new start applies new migrations`)
    if (names) say(`${listed(files)} changed; restarting ${names}`)
    for (const it of chosen) void it.restart()
  })
}

/** The first few. */
function listed(files: string[]): string {
  const more = files.length - 3
  return files.slice(0, 3).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

/**
 * Calls back with the files that have changed, relative to the root. Files that no service imports do not count.
 *
 * A watch of a whole tree would be simpler, but after an editor has replaced a file, Node would no longer report its changes.
 */
function watchSources(onChange: (files: string[]) => void): Disposable {
  const watchers = new Map<string, FSWatcher>()
  const changed = new Set<string>()
  let timer: NodeJS.Timeout | undefined

  const add = (path: string) => {
    if (concerns(path)) changed.add(relative(root, path))
    if (changed.size === 0) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      onChange([...changed].sort())
      changed.clear()
    }, gatherMs)
  }

  const follow = (folder: string) => {
    const entries = readEntries(folder)
    if (!entries || watchers.has(folder)) return
    const watcher = watch(folder, (_event, name) => {
      if (!name) return
      follow(join(folder, name))
      add(join(folder, name))
    })
    // The folder was removed.
    watcher.on('error', () => {})
    watchers.set(folder, watcher)
    for (const it of entries) if (it.isDirectory()) follow(join(folder, it.name))
  }

  for (const it of folders) follow(join(root, it))
  return {
    [Symbol.dispose]() {
      clearTimeout(timer)
      for (const it of watchers.values()) it.close()
    },
  }
}

/** Deno reports a file in the folders above, too, where there is none. */
const concerns = (path: string) =>
  /\.(ts|sql|css)$/.test(path) && !/\.test\.ts$|\/testing(\.ts$|\/)/.test(path) && existsSync(path)

function readEntries(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return undefined
  }
}

/** @returns a process for each file in its folder, because no other imports that; all of them for any other file. */
function servicesOf(files: string[]): ProcessName[] {
  const owners = files.map((it) => /^(?:actors\/(\w+)|(web))\//.exec(it)).map((it) => it?.[1] ?? it?.[2])
  return owners.includes(undefined) ? [...processNames] : processNames.filter((it) => owners.includes(it))
}
