/**
 * Finds the changes of an OpenAPI document that break its clients:
 *
 * - a call, an answer or a content type is gone, or the call has another `operationId`, by which generated clients name it
 * - an answer lacks a field that it always had, or a value has a type or a `null` that it never had
 * - a request must have a field or parameter that it need not have, or cannot have one, or a type, that it could have
 * - a value of an enum is gone
 *
 * A new call, an optional field and a new value of an enum in an answer break no client that ignores what it does not know.
 */
type Schema = {
  $ref?: string
  type?: string | string[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  additionalProperties?: Schema | boolean
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
}
type Content = Record<string, { schema?: Schema }>
type Response = { $ref?: string; content?: Content }
type Parameter = { name: string; in: string; required?: boolean; schema?: Schema }
type Operation = {
  operationId?: string
  parameters?: Parameter[]
  requestBody?: { content: Content; required?: boolean }
  responses: Record<string, Response>
}
export type Document = {
  paths: Record<string, Record<string, Operation>>
  components?: { schemas?: Record<string, Schema>; responses?: Record<string, Response> }
}

/** @returns one line for each change that breaks a client. */
export function breaksOf(before: Document, after: Document): string[] {
  const found: string[] = []
  for (const [path, calls] of Object.entries(before.paths)) {
    for (const [method, old] of Object.entries(calls)) {
      const call = `${method.toUpperCase()} ${path}`
      const now = after.paths[path]?.[method]
      if (now) found.push(...new Comparison(before, after).call(old, now).map((it) => `${call}: ${it}`))
      else found.push(`${call} is gone`)
    }
  }
  return found
}

type Side = 'request' | 'answer'

class Comparison {
  readonly #before: Document
  readonly #after: Document
  readonly #found: string[] = []

  constructor(before: Document, after: Document) {
    this.#before = before
    this.#after = after
  }

  call(old: Operation, now: Operation): string[] {
    if (old.operationId && old.operationId !== now.operationId)
      this.#found.push(`operationId ${old.operationId} is gone`)
    this.#parameters(old.parameters ?? [], now.parameters ?? [])
    if (now.requestBody?.required && !old.requestBody?.required) this.#found.push('a body is now required')
    this.#content('request', 'the body', old.requestBody?.content, now.requestBody?.content)
    for (const [status, response] of Object.entries(old.responses)) {
      const its = now.responses[status]
      if (!its) this.#found.push(`answer ${status} is gone`)
      else
        this.#content(
          'answer',
          status,
          resolved(this.#before, 'responses', response).content,
          resolved(this.#after, 'responses', its).content,
        )
    }
    return this.#found
  }

  #parameters(old: Parameter[], now: Parameter[]): void {
    const same = (a: Parameter) => (b: Parameter) => a.name === b.name && a.in === b.in
    for (const it of old) {
      const its = now.find(same(it))
      if (!its) this.#found.push(`parameter ${it.name} is gone`)
      else this.#schema('request', `parameter ${it.name}`, it.schema, its.schema)
    }
    for (const it of now.filter((it) => it.required && !old.find(same(it))?.required))
      this.#found.push(`parameter ${it.name} is now required`)
  }

  #content(side: Side, where: string, old: Content = {}, now: Content = {}): void {
    for (const [type, { schema }] of Object.entries(old)) {
      if (now[type]) this.#schema(side, where, schema, now[type].schema)
      else this.#found.push(`${where} as ${type} is gone`)
    }
  }

  #schema(side: Side, where: string, given: Schema = {}, changed: Schema = {}): void {
    const old = resolved(this.#before, 'schemas', given)
    const now = resolved(this.#after, 'schemas', changed)
    // A receiver must know every type that the sender may use.
    const [sent, known] = side === 'request' ? [old, now] : [now, old]
    const strange = typesOf(sent).filter((it) => typesOf(known).length > 0 && !typesOf(known).includes(it))
    if (strange.length > 0)
      this.#found.push(
        `${where} ${side === 'request' ? 'may no longer' : 'may now'} be ${strange.join(' or ')}`,
      )
    const values = valuesOf(now)
    const gone = valuesOf(old).filter((it) => values.length > 0 && !values.includes(it))
    if (gone.length > 0) this.#found.push(`${where} is never ${gone.join(' or ')} any more`)
    this.#fields(side, where, old, now)
    if (old.items && now.items) this.#schema(side, `${where}[]`, old.items, now.items)
    old.anyOf?.forEach((it, i) => {
      if (now.anyOf?.[i]) this.#schema(side, where, it, now.anyOf[i])
    })
  }

  #fields(side: Side, where: string, old: Schema, now: Schema): void {
    for (const [name, its] of Object.entries(old.properties ?? {})) {
      const field = now.properties?.[name]
      if (!field) this.#found.push(`${where}/${name} is gone`)
      else this.#schema(side, `${where}/${name}`, its, field)
    }
    const [must, mayLack, change] =
      side === 'request' ? [now, old, 'is now required'] : [old, now, 'may now be absent']
    for (const name of must.required ?? []) {
      if (now.properties?.[name] && !mayLack.required?.includes(name))
        this.#found.push(`${where}/${name} ${change}`)
    }
  }
}

function resolved<Kind extends 'schemas' | 'responses', It extends Schema | Response>(
  document: Document,
  kind: Kind,
  it: It,
): It {
  if (!it.$ref) return it
  return document.components![kind]![it.$ref.split('/').at(-1)!] as It
}

/** An integer is a number to all that receive it. */
const typesOf = ({ type = [] }: Schema): string[] =>
  [type].flat().flatMap((it) => (it === 'number' ? ['number', 'integer'] : [it]))

const valuesOf = ({ enum: values, const: only }: Schema): unknown[] =>
  values ?? (only === undefined ? [] : [only])
