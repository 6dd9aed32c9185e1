/** The OpenAPI document of a service. `npm run docs` writes it to `openapi/`; the service itself serves it. */
import { version } from '../build.ts'
import type { App } from './app.ts'
import { tokenScheme } from './common-problems.ts'
import { problems } from './problem.ts'

const token = {
  type: 'http',
  scheme: 'bearer',
  description:
    'Needed where the library runs with `IDENTITY=on`. The scopes are roles: the token must have one of them. With that of a customer alone, the answer has only what is their own.',
}

type Response = { $ref?: string; description?: string; headers?: object; content?: Record<string, object> }
type Operation = { responses: Record<string, Response> }

/** @param port of the service. */
export function openApiOf(app: App, port: number): object {
  const { title, description, publicUrl, tags = {} } = app.about
  const local = { url: `http://{host}:${port}`, variables: { host: { default: 'localhost' } } }
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title,
      description,
      version,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: [publicUrl === undefined ? local : { url: publicUrl }],
    // Operations need no credentials unless they say so.
    security: [],
    tags: Object.entries({
      ...tags,
      audit: 'Who did what',
      health: 'For supervisors and load balancers',
    }).map(([name, description]) => ({ name, description })),
  })
  const responses = shareProblems(document.paths as Record<string, Record<string, Operation>>)
  const securitySchemes = { ...document.components?.securitySchemes, [tokenScheme]: token }
  return { ...document, components: { ...document.components, securitySchemes, responses } }
}

/** Replaces the problems of all operations with references. @returns the responses that they refer to. */
function shareProblems(paths: Record<string, Record<string, Operation>>): Record<string, Response> {
  const shared: Record<string, Response> = {}
  for (const { responses } of Object.values(paths).flatMap(Object.values<Operation>)) {
    for (const [status, response] of Object.entries(responses)) {
      if (!response.content?.['application/problem+json']) continue
      const name = names[Number(status) as keyof typeof names]
      shared[name] ??= withExamples(Number(status), response)
      responses[status] = { $ref: `#/components/responses/${name}` }
    }
  }
  return Object.fromEntries(Object.entries(shared).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The names of RFC 9110. */
const names = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  408: 'RequestTimeout',
  409: 'Conflict',
  413: 'ContentTooLarge',
  415: 'UnsupportedMediaType',
  422: 'UnprocessableContent',
  429: 'TooManyRequests',
  431: 'RequestHeaderFieldsTooLarge',
  500: 'InternalServerError',
  503: 'ServiceUnavailable',
} as const satisfies Record<(typeof problems)[keyof typeof problems][0], string>

function withExamples(status: number, { content, ...response }: Response): Response {
  const examples = Object.entries(problems)
    .filter(([, [its]]) => its === status)
    .map(([slug, [, title]]) => [slug, { value: { type: `/problems/${slug}`, title, status } }])
  return {
    ...response,
    ...headersOf[status],
    content: {
      'application/problem+json': {
        ...content!['application/problem+json'],
        examples: Object.fromEntries(examples),
      },
    },
  }
}

const header = (name: string, description: string, type: string) => ({
  headers: { [name]: { description, schema: { type } } },
})
const headersOf: Record<number, object> = {
  401: header('WWW-Authenticate', 'The scheme to authenticate with', 'string'),
  429: header('Retry-After', 'Seconds after which the next request is answered', 'integer'),
  503: header('Retry-After', 'Seconds after which the request can be repeated', 'integer'),
}
