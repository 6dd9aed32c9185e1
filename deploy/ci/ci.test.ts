/** CI: the pipelines are well-formed, and the scripts that they share handle every failure. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { Ajv } from 'ajv'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { eventually } from '../../tests/doubles/eventually.ts'
import { findProgram } from '../local/processes/program.ts'
import { root } from '../local/root.ts'
import { azureSchema } from './azure-schema.ts'

const read = (path: string) => readFile(join(root, path), 'utf8')
const workflowPath = '.github/workflows/delivery.yml'
const workflowPaths = [workflowPath, '.github/workflows/cluster.yml']

describe('the pipelines', () => {
  // On a machine without Go or PyPI they are missing; in CI they are not.
  const [actionlint, zizmor] = [findProgram('actionlint'), findProgram('zizmor')]
  const inCi = process.env.CI !== undefined

  test.skipIf(!actionlint && !inCi)('actionlint finds no fault in the workflows of GitHub', async () => {
    const lint = (text: string) => answerOf(actionlint!, ['-no-color', '-shellcheck=', '-'], text)
    for (const path of workflowPaths) expect(await lint(await read(path)), path).toEqual({ code: 0, out: '' })
    const workflow = await read(workflowPath)
    const broken = await lint(workflow.replace('needs: test', 'needs: tests'))
    expect(broken).toEqual({ code: 1, out: expect.stringContaining('[job-needs]') })
  })

  test.skipIf(!zizmor && !inCi)('zizmor finds nothing in them that an attacker could use', async () => {
    const audit = (text: string) => answerOf(zizmor!, ['--offline', '--quiet', '-'], text)
    for (const path of workflowPaths) expect(await audit(await read(path)), path).toMatchObject({ code: 0 })
    const workflow = await read(workflowPath)
    const open = await audit(workflow.replace('permissions:\n      contents: read', 'permissions: write-all'))
    expect(open.out).toContain('excessive-permissions')
  })

  test('their actions are pinned by commit, and every job declares its rights', async () => {
    const workflows = await Promise.all(workflowPaths.map(async (path) => parse(await read(path))))
    const [workflow] = workflows
    const jobs = workflows.flatMap(({ jobs }) => Object.values(jobs)) as {
      permissions?: object
      steps: { uses?: string }[]
    }[]
    const actions = jobs.flatMap((job) => job.steps.flatMap((step) => step.uses ?? []))
    expect(actions.length).toBeGreaterThan(3)
    expect(actions.filter((it) => !/^actions\/[\w-]+@[0-9a-f]{40}$/.test(it))).toEqual([])
    expect(workflows.map(({ permissions }) => permissions)).toEqual([{}, {}])
    expect(jobs.filter((job) => !job.permissions)).toEqual([])
    // Only the publishing jobs may write.
    const writers = Object.entries(workflow.jobs).flatMap(([name, job]) =>
      Object.entries((job as { permissions: Record<string, string> }).permissions)
        .filter(([, right]) => right === 'write')
        .map(([what]) => `${name}: ${what}`),
    )
    expect(writers).toEqual(['image: packages', 'image: id-token', 'release: contents'])
  })

  test('the pipeline of Azure is valid', async () => {
    const validate = new Ajv().compile(azureSchema)
    // The schema treats every scalar as text.
    const pipeline = parse(await read('azure-pipelines.yml'), { schema: 'failsafe' })
    expect(validate(pipeline), JSON.stringify(validate.errors?.slice(-3))).toBe(true)
    pipeline.stages[0].jobs[0].steps[1].shell = 'no such key'
    expect(validate(pipeline)).toBe(false)
  })

  test('both run the same steps in the same order', async () => {
    const calls = (pipeline: string) => [...pipeline.matchAll(/deploy\/ci\/(\S+)/g)].map(([, it]) => it!)
    const steps = calls((await read(workflowPath)).replace(/^#.*$/gm, ''))
    expect(calls((await read('azure-pipelines.yml')).replace(/^#.*$/gm, ''))).toEqual(steps)
    expect([...new Set(steps)]).toEqual(
      ['test', 'tools', 'build', 'scan', 'login', 'publish', 'sign', 'assets', 'release'].map(
        (it) => `${it}.sh`,
      ),
    )
  })

  test('only scripts run the programs of tools.sh, because they know where these are installed', async () => {
    const tool = /(^|[\s|;&(])(syft|grype|cosign|k6|kind)\s/
    const inline = async (path: string) =>
      (await read(path)).split('\n').filter((line) => !/^\s*#|deploy\/ci\//.test(line) && tool.test(line))
    expect([...(await inline(workflowPath)), ...(await inline('azure-pipelines.yml'))]).toEqual([])
  })

  test('shellcheck finds no fault in the scripts', async () => {
    const scripts = (await readdir(join(root, 'deploy'), { recursive: true }))
      .filter((it) => it.endsWith('.sh') && !it.includes('node_modules'))
      .map((it) => join('deploy', it))
    expect(scripts.length).toBeGreaterThan(8)
    const args = ['--external-sources', ...scripts, '.ci/run']
    const { stdout } = await promisify(execFile)('shellcheck', args, { cwd: root }).catch((error) => error)
    expect(stdout).toBe('')
  })
})

async function answerOf(program: string, args: string[], input: string) {
  const child = spawn(program, args)
  child.stdin.end(input)
  const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  return { code, out }
}

const digest = `sha256:${'a1'.repeat(32)}`
const reference = `registry.example/bookreservation@${digest}`

/** A stand-in for every program that the scripts call. It records the call, answers, and fails when FAIL matches. */
const standIn = `#!/usr/bin/env bash
call="$(basename "$0") $*"
echo "$call" >>"$CALLS"
if [ -n "\${HANG:-}" ] && [[ $call =~ $HANG ]]; then sleep 60; fi
if [ -n "\${FAIL:-}" ] && [[ $call =~ $FAIL ]]; then echo 'failed on purpose' >&2; exit 1; fi
case $call in
  "kubectl kustomize"*overlays/prod) echo 'image: registry.example/bookreservation@sha256:0' ;;
  "kubectl kustomize"*) sed -nE 's/.*newName: (.*), digest: (.*)}/image: \\1@\\2/p' "$2/kustomization.yaml" ;;
  *"--output name") printf 'deployment.apps/%s\\n' notifier reservation stock web ;;
  *"jsonpath="*) printf '%s' "$REVISIONS"; if grep -q '^kubectl apply' "$CALLS"; then printf '%s' "\${ADDED:-}"; fi ;;
  "podman push"*) echo "$PUSHED" >"$3" ;;
esac
`

describe('the scripts', () => {
  let dir: string
  let tree: string
  let calls: () => Promise<string[]>

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'bookreservation-ci-'))
    tree = join(dir, 'tree')
    await cp(join(root, 'deploy', 'ci'), join(tree, 'deploy', 'ci'), { recursive: true })
    await mkdir(join(tree, 'deploy', 'kubernetes', 'overlays', 'prod'), { recursive: true })
    await mkdir(join(dir, 'bin'))
    await writeFile(join(dir, 'stand-in'), standIn)
    await chmod(join(dir, 'stand-in'), 0o755)
    for (const name of ['kubectl', 'k6', 'curl', 'cosign', 'podman', 'syft', 'grype'])
      await symlink(join(dir, 'stand-in'), join(dir, 'bin', name))
    calls = async () =>
      (await readFile(join(dir, 'calls'), 'utf8'))
        .trim()
        .replaceAll(dir, '')
        .replace(/\.release-\w+/g, '.release')
        .split('\n')
  })
  beforeEach(() => writeFile(join(dir, 'calls'), ''))
  afterAll(() => rm(dir, { recursive: true, force: true }))

  function start(script: string, args: string[], env: Record<string, string> = {}) {
    const child = spawn(join(tree, 'deploy', 'ci', script), args, {
      env: {
        PATH: `${dir}/bin:/usr/bin:/bin`,
        CALLS: join(dir, 'calls'),
        REVISIONS: 'notifier 4\nreservation 7\nstock 5\nweb 2\n',
        RESERVATION_URL: 'https://books.example',
        STOCK_URL: 'https://staff.example',
        WEB_URL: 'https://books.example',
        COSIGN_KEY: 'azurekms://vault/key',
        PUSHED: digest,
        ...env,
      },
    })
    const done = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]).then(
      ([out, err, [code]]) => ({ out, err, code }),
    )
    return { child, done }
  }
  const run = (script: string, args: string[], env?: Record<string, string>) => start(script, args, env).done

  const isUndo = (call: string) => call.includes('rollout undo')
  const undone = [
    'kubectl --namespace bookreservation rollout undo deployment/notifier --to-revision=4',
    'kubectl --namespace bookreservation rollout undo deployment/reservation --to-revision=7',
    'kubectl --namespace bookreservation rollout undo deployment/stock --to-revision=5',
    'kubectl --namespace bookreservation rollout undo deployment/web --to-revision=2',
  ]

  test('a release migrates, replaces every deployment, and tests the result', async () => {
    const { code, err } = await run('release.sh', ['prod', reference])
    expect(err).toContain(`prod runs ${reference}`)
    expect(code).toBe(0)
    const kubectl = 'kubectl --namespace bookreservation'
    const rollout = (name: string) => `${kubectl} rollout status --timeout=10m deployment.apps/${name}`
    expect((await calls()).filter((it) => !it.includes(' get deployments'))).toEqual([
      `cosign verify --key azurekms://vault/key ${reference}`,
      'kubectl kustomize /tree/deploy/kubernetes/overlays/prod',
      'kubectl kustomize /tree/deploy/kubernetes/.release',
      `${kubectl} delete job migrate --ignore-not-found --wait`,
      'kubectl apply --filename -',
      `${kubectl} wait --for=condition=complete --timeout=10m job/migrate`,
      ...['notifier', 'reservation', 'stock', 'web'].map(rollout),
      'k6 run --quiet --no-usage-report /tree/load/k6/smoke.ts',
      'curl --fail --silent --show-error --output /dev/null --max-time 10 --retry 3 https://books.example/',
    ])
    expect(await readdir(join(tree, 'deploy', 'kubernetes'))).toEqual(['overlays'])
  })

  test.each([
    ['the smoke test fails', '^k6 run', 'smoke.sh failed'],
    ['the first page cannot be opened', '^curl', 'smoke.sh failed'],
    ['a rollout takes too long', 'rollout status.*deployment.apps/stock', 'deploy.sh failed'],
    ['the migration fails', ' wait .*job/migrate', 'deploy.sh failed'],
    ['the manifests are refused', 'kubectl apply', 'deploy.sh failed'],
  ])('when %s, every deployment is rolled back to its revision', async (_, fail, reason) => {
    const { code, err } = await run('release.sh', ['prod', reference], { FAIL: fail })
    expect(err).toContain(reason)
    expect(err).toContain('Rolled back: the environment runs the previous version')
    expect(code).toBe(1)
    const made = await calls()
    expect(made.filter(isUndo)).toEqual(undone)
    expect(made.slice(-4).every((it) => it.includes('rollout status'))).toBe(true)
    expect(made.some((it) => it.startsWith('k6'))).toBe(reason.startsWith('smoke'))
  })

  test('when one rollback fails, the others still happen, and the exit code calls for a person', async () => {
    const { code, err } = await run('release.sh', ['prod', reference], {
      FAIL: '^k6 run|undo deployment/notifier',
    })
    expect(err).toContain('The rollback failed')
    expect(code).toBe(2)
    expect((await calls()).filter(isUndo)).toEqual(undone)
  })

  test('a deployment that the failed release has added is deleted', async () => {
    const env = { FAIL: '^k6 run', REVISIONS: 'stock 5\n', ADDED: 'web 1\n' }
    expect((await run('release.sh', ['prod', reference], env)).code).toBe(1)
    const kubectl = 'kubectl --namespace bookreservation'
    const made = await calls()
    expect(made.filter(isUndo)).toEqual([`${kubectl} rollout undo deployment/stock --to-revision=5`])
    expect(made.filter((it) => it.includes(' delete deployment'))).toEqual([
      `${kubectl} delete deployment/web --ignore-not-found`,
    ])
  })

  test('when the first release fails, there is nothing to roll back to', async () => {
    const { code, err } = await run('release.sh', ['prod', reference], { FAIL: '^k6 run', REVISIONS: '' })
    expect(err).toContain('This was the first release')
    expect(code).toBe(2)
    expect((await calls()).filter(isUndo)).toEqual([])
  })

  test('a canceled release is rolled back at once', async () => {
    const { child, done } = start('release.sh', ['prod', reference], { HANG: '^k6 run' })
    await eventually(async () => (await calls()).some((it) => it.startsWith('k6 run')))
    child.kill('SIGTERM')
    const { code, err } = await done
    expect(err).toContain('the release was canceled')
    expect(code).toBe(1)
    expect((await calls()).filter(isUndo)).toEqual(undone)
  })

  test('an image without a valid signature is not deployed', async () => {
    const { code } = await run('release.sh', ['prod', reference], { FAIL: '^cosign verify' })
    expect(code).not.toBe(0)
    expect((await calls()).filter((it) => /apply|delete|undo/.test(it))).toEqual([])
  })

  test.each(['registry.example/bookreservation:latest', `${reference}; reboot`, 'sha256:a1'])(
    '%s is refused: it names no image by its digest',
    async (name) => {
      expect((await run('release.sh', ['prod', name])).code).toBe(1)
      expect(await calls()).toEqual([''])
    },
  )

  test('a vulnerability with a fix fails the scan', async () => {
    const sbom = join(dir, 'sbom.json')
    expect((await run('scan.sh', ['localhost/image', sbom])).code).toBe(0)
    expect((await calls()).at(-1)).toBe('grype --quiet sbom:/sbom.json --only-fixed --fail-on high')
    expect((await run('scan.sh', ['localhost/image', sbom], { FAIL: '^grype' })).code).not.toBe(0)
  })

  test('login.sh logs in both programs, and no command line shows the password', async () => {
    const env = { REGISTRY_PASSWORD: 'not-to-be-seen' }
    const { code, err } = await run('login.sh', ['registry.example', 'robot'], env)
    expect(code).toBe(0)
    const login = ' login registry.example --username robot --password-stdin'
    expect(await calls()).toEqual([`podman${login}`, `cosign${login}`])
    expect(err).not.toContain('not-to-be-seen')
    expect((await run('login.sh', ['registry.example', 'robot'])).code).not.toBe(0)
  })

  test('publish.sh prints the digest, and fails if the registry returns none', async () => {
    const args = ['localhost/image', 'registry.example/bookreservation', '1.2.3']
    const { out, code } = await run('publish.sh', args)
    expect({ out, code }).toEqual({ out: `${reference}\n`, code: 0 })
    expect((await run('publish.sh', args, { PUSHED: '' })).code).toBe(1)
    expect((await run('publish.sh', args, { FAIL: '^podman push' })).code).not.toBe(0)
  })

  test('an image is signed together with its SBOM, or not at all', async () => {
    const sbom = join(dir, 'list.json')
    expect((await run('sign.sh', [reference, sbom])).code).toBe(1)
    expect(await calls()).toEqual([''])
    await writeFile(sbom, '{}')
    expect((await run('sign.sh', [reference, sbom])).code).toBe(0)
    expect(await calls()).toEqual([
      `cosign sign --yes --key azurekms://vault/key ${reference}`,
      `cosign attest --yes --key azurekms://vault/key --type spdxjson --predicate /list.json ${reference}`,
    ])
  })
})

describe('a release', () => {
  let dir: string
  let tree: string
  const version = async () => JSON.parse(await readFile(join(tree, 'package.json'), 'utf8')).version as string
  const changelog = () => readFile(join(tree, 'CHANGELOG.md'), 'utf8')

  /** Only with what it needs: npm would otherwise find this repository in its environment. */
  async function run(command: string, ...args: string[]) {
    const { HOME = dir, PATH = '' } = process.env
    const person = { NAME: 'Ann', EMAIL: 'ann@example.org' }
    const git = Object.fromEntries(
      Object.entries(person).flatMap(([key, it]) => [
        [`GIT_AUTHOR_${key}`, it],
        [`GIT_COMMITTER_${key}`, it],
      ]),
    )
    const kubectl = join(root, 'deploy/kubernetes/kubectl/node_modules/.bin')
    const env = { HOME, PATH: `${kubectl}:${PATH}`, GIT_CONFIG_GLOBAL: '/dev/null', ...git }
    const child = spawn(command, args, { cwd: tree, env })
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    return { code, out: out.trim(), err }
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'bookreservation-release-'))
    tree = join(dir, 'tree')
    for (const path of ['package.json', 'package-lock.json', 'CHANGELOG.md'])
      await cp(join(root, path), join(tree, path))
    for (const path of ['ci', 'kubernetes', 'monitoring'])
      await cp(join(root, 'deploy', path), join(tree, 'deploy', path), {
        recursive: true,
        filter: (it) => !it.slice(root.length).includes('node_modules'),
      })
    await run('git', 'init', '--quiet', '--initial-branch=main')
    await run('git', 'add', '.')
    await run('git', 'commit', '--quiet', '--message=All')
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))

  test('is a commit and a tag with the version and its notes, and only one of what is new', async () => {
    const [major, minor] = (await version()).split('.')
    const next = `${major}.${Number(minor) + 1}.0`
    const { code, err } = await run('npm', 'version', 'minor')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(await version()).toBe(next)
    expect((await run('git', 'describe', '--exact-match')).out).toBe(`v${next}`)
    const committed = (await run('git', 'show', '--name-only', '--format=')).out.split('\n')
    expect(committed.sort()).toEqual(['CHANGELOG.md', 'package-lock.json', 'package.json'])
    expect(await changelog()).toMatch(
      new RegExp(
        `^## \\[Unreleased]\n\n## \\[${next.replaceAll('.', '\\.')}] - \\d{4}-\\d\\d-\\d\\d\n\n### `,
        'm',
      ),
    )

    const again = await run('npm', 'version', 'patch')
    expect(again.err).toContain('CHANGELOG.md says nothing about Unreleased')
    expect(await version()).toBe(next)
    expect((await run('git', 'status', '--porcelain')).out).toBe('')
  })

  test('has the manifests of each environment with the image by its digest, notes, and checksums', async () => {
    const assets = join(dir, 'assets')
    const { code, err } = await run('deploy/ci/assets.sh', `v${await version()}`, reference, assets)
    expect({ code, err }).toMatchObject({ code: 0 })
    const manifests = ['bookreservation-dev.yaml', 'bookreservation-prod.yaml']
    expect((await readdir(assets)).sort()).toEqual(['NOTES.md', 'SHA256SUMS', ...manifests].sort())
    for (const name of manifests) {
      const images = (await readFile(join(assets, name), 'utf8')).matchAll(/image: (.*bookreservation.*)$/gm)
      // Three services, each with its init container, the pages, and the migration.
      expect(Array.from(images, ([, image]) => image)).toEqual(Array(8).fill(reference))
    }
    expect(await readFile(join(assets, 'NOTES.md'), 'utf8')).toMatch(
      /^### [\s\S]*`registry\.example\/.*@sha256:/,
    )
    const sums = await promisify(execFile)('sha256sum', ['--check', 'SHA256SUMS'], { cwd: assets })
    expect(sums.stdout.match(/: OK$/gm)).toHaveLength(2)

    const other = await run('deploy/ci/assets.sh', 'v9.9.9', reference, join(dir, 'other'))
    expect(other.err).toContain('The tag v9.9.9 is not that of version')
    expect(other.code).toBe(1)
  })
})
