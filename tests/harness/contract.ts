/** Checks responses against the OpenAPI document of their service. */
import type { ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

type Media = { schema?: object }
type Response = { $ref?: string; content?: Record<string, Media> }
type Operation = { responses: Record<string, Response> }
export type OpenApi = {
  openapi: string
  info: { title: string; version: string }
  paths: Record<string, Record<string, Operation>>
  components?: { schemas?: Record<string, object>; responses?: Record<string, Response> }
}

export type Observed = { status: number; contentType: string; body: unknown }

/** The members that RFC 9457 and this project require of every problem. */
const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status'],
  properties: {
    type: { type: 'string', minLength: 1 },
    title: { type: 'string', minLength: 1 },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: { type: 'string' },
    errors: { type: 'array', items: { type: 'object', required: ['detail'] } },
  },
}

export class Contract {
  /** By their text: validators are compiled once for all systems. */
  static readonly #known = new Map<string, Contract>()
  readonly document: OpenApi
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true })
  readonly #validators = new Map<string, ValidateFunction>()
  readonly #paths: { pattern: RegExp; template: string }[]

  constructor(document: OpenApi) {
    this.document = document
    ;(addFormats as unknown as (ajv: Ajv2020) => void)(this.#ajv)
    this.#paths = Object.keys(document.paths)
      // A literal path wins over one with parameters, as in OpenAPI.
      .sort((a, b) => a.split('{').length - b.split('{').length)
      .map((template) => ({ template, pattern: toPattern(template) }))
  }

  static async read(url: string): Promise<Contract> {
    const response = await fetch(`${url}/openapi.json`)
    if (!response.ok) throw new Error(`Cannot read ${url}/openapi.json: it answers ${response.status}`)
    const text = await response.text()
    const known = Contract.#known.get(text) ?? new Contract(JSON.parse(text) as OpenApi)
    Contract.#known.set(text, known)
    return known
  }

  /** @throws when the response is not documented for that method and path. */
  check(method: string, path: string, seen: Observed): void {
    const where = `${method} ${path} answered ${seen.status}`
    if (seen.status >= 400) this.#checkProblem(where, seen)
    const template = this.#paths.find(({ pattern }) => pattern.test(path.split('?')[0]!))?.template
    const operation = template && this.document.paths[template]![method.toLowerCase()]
    if (!operation) {
      // A path or method that does not exist is documented by its absence.
      if (seen.status === 404 || seen.status === 405) return
      throw new Error(`${where}, and the document knows no such call`)
    }
    const media = this.#mediaOf(operation, where, seen)
    if (!media?.schema || !isJson(seen.contentType)) return
    const validate = this.#validator(`${method} ${template} ${seen.status} ${seen.contentType}`, media.schema)
    if (!validate(seen.body)) throw new Error(`${where}, ${faults(validate)}: ${JSON.stringify(seen.body)}`)
  }

  #checkProblem(where: string, seen: Observed): void {
    if (seen.contentType !== 'application/problem+json') {
      throw new Error(
        `${where} with ${seen.contentType || 'no content type'} instead of application/problem+json`,
      )
    }
    const validate = this.#validator('problem', problemSchema)
    if (!validate(seen.body)) throw new Error(`${where}, ${faults(validate)}: ${JSON.stringify(seen.body)}`)
    const { status } = seen.body as { status: number }
    if (status !== seen.status) throw new Error(`${where}, and its problem says ${status}`)
  }

  #mediaOf(operation: Operation, where: string, seen: Observed): Media | undefined {
    const given = operation.responses[seen.status] ?? operation.responses.default
    if (!given) throw new Error(`${where}, which the document does not list: ${JSON.stringify(seen.body)}`)
    const response = given.$ref ? this.document.components!.responses![given.$ref.split('/').at(-1)!]! : given
    if (!response.content) return undefined
    const media = response.content[seen.contentType]
    if (!media) throw new Error(`${where} as ${seen.contentType}, which the document does not list`)
    return media
  }

  #validator(name: string, schema: object): ValidateFunction {
    let validate = this.#validators.get(name)
    if (!validate) {
      // References such as #/components/schemas/Book start at the schema's own root.
      validate = this.#ajv.compile({ ...schema, components: this.document.components })
      this.#validators.set(name, validate)
    }
    return validate
  }
}

const toPattern = (template: string) =>
  new RegExp(`^${template.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll(/\{[^}]+\}/g, '[^/]+')}$`)

const isJson = (contentType: string) => /[/+]json$/.test(contentType)

const faults = (validate: ValidateFunction) =>
  (validate.errors ?? []).map((error) => `${error.instancePath || 'it'} ${error.message}`).join('; ')
