/** Writes `openapi/`: a document for each service, and the types of its clients. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ServiceName, serviceNames } from '../../../platform/config.ts'
import { breaksOf, type Document } from './breaks.ts'
import { documentOf, folder } from './documents.ts'

/** Installed by `npm run docs`, apart from all other packages. */
const bin = join(folder, 'generator/node_modules/.bin')
const run = promisify(execFile)
const quiet = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }

export const documentFile = (service: ServiceName): string => join(folder, `${service}.json`)
export const typesFile = (service: ServiceName): string => join(folder, `${service}.ts`)

/** The first line of the types: the document that they were made from. */
export const madeFrom = (document: string): string =>
  `// Made by npm run docs from the document with SHA-256 ${createHash('sha256').update(document).digest('hex')}`

export const toText = (document: object): string => `${JSON.stringify(document, null, 2)}\n`

/** @returns the changes since the document in `openapi/` that break clients. */
export async function breaksSince(service: ServiceName): Promise<string[]> {
  const before = await readFile(documentFile(service), 'utf8').catch(() => undefined)
  return before ? breaksOf(JSON.parse(before), documentOf(service) as Document) : []
}

/** @throws when a document has a fault, or when a change breaks clients, unless that is intended. */
export async function writeDocuments(breakClients: boolean): Promise<void> {
  const breaks = (await Promise.all(serviceNames.map(breaksSince))).flat()
  if (breaks.length > 0 && !breakClients)
    throw new Error(`These changes break clients:\n  ${breaks.join('\n  ')}\n${advice}`)
  for (const service of serviceNames) {
    const file = documentFile(service)
    const text = toText(documentOf(service))
    await writeFile(file, text)
    const types = await run(join(bin, 'openapi-typescript'), ['--default-non-nullable=false', file], {
      maxBuffer: 16 * 1024 * 1024,
    })
    await writeFile(typesFile(service), `${madeFrom(text)}\n${types.stdout}`)
  }
  await lint(serviceNames.map(documentFile))
}

async function lint(files: string[]): Promise<void> {
  try {
    await run(join(bin, 'redocly'), ['lint', '--extends=recommended', ...files], { env: quiet })
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`Faults in the OpenAPI documents:\n${stdout}${stderr}`)
  }
}

export const advice = 'If that is intended: npm run docs -- --break-clients, and write it into the changelog.'
