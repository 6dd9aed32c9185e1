/** Every route in the documents has these problems, and names its callers. */
import type { Access } from '../identity/caller.ts'
import { problemResponses } from './problem.ts'
import type { AppRoute } from './route.ts'

/**
 * Adds the problems that any route can answer, and who may call it.
 * @param access undefined of a probe.
 * @param optional whether the service answers without a token too.
 */
export function withCommonProblems(
  route: Omit<AppRoute, 'access'>,
  access: Access | undefined,
  optional: boolean,
): Omit<AppRoute, 'access'> {
  const common = {
    ...(access ? problemResponses(429) : {}),
    ...(access && access !== 'anyone' ? problemResponses(401, 403) : {}),
    ...(route.request ? problemResponses(400) : {}),
    ...(route.request?.body ? problemResponses(413, 415) : {}),
    ...problemResponses(408, 431, 500, 503),
  }
  return { ...securityOf(access, optional), ...route, responses: { ...common, ...route.responses } }
}

/** The name of the security scheme. Its scopes are roles, one of which is needed. */
export const tokenScheme = 'token'

function securityOf(access: Access | undefined, optional: boolean) {
  if (access === undefined || access === 'anyone') return {}
  const needed = access.map((role) => ({ [tokenScheme]: [role as string] }))
  return { security: optional ? [{}, ...needed] : needed }
}
