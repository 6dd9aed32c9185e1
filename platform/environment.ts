/** The texts of the environment, and of the files that it names. */
import { readFileSync } from 'node:fs'

/** @returns the settings of these names, trimmed. An empty string counts as not set. */
export function settingsIn(env: NodeJS.ProcessEnv, shape: object): Record<string, string> {
  const entries = Object.keys(shape).map((name) => {
    const value = env[name]?.trim()
    const file = env[name + fileSuffix]?.trim()
    return value || !file ? ([name, value] as const) : fromFile(name, file)
  })
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => Boolean(entry[1])))
}

const fileSuffix = '_FILE'

function fromFile(name: string, file: string): readonly [string, string] {
  try {
    return [name, readFileSync(file, 'utf8').trim()]
  } catch {
    return [name + fileSuffix, file]
  }
}

/** A fault does not repeat the name of the file: a secret may have been put there by mistake. */
export const unread = (env: Record<string, string>): string[] =>
  Object.keys(env)
    .filter((name) => name.endsWith(fileSuffix))
    .map((name) => `${name} must be the path of a file that can be read`)

/**
 * Characters that are invisible, and so unintended: they come along when a value is copied from a page. A line break
 * would change a secret, and in a header start the next one. Joiners are allowed, because names and emoji need them.
 */
const unseen = /[\p{Cc}\u2028\u2029\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/u
const quoted = /^(["'`])[\s\S]*\1$/

/** @returns a fault for each value that was hardly meant. */
export function unintended(env: Record<string, string>): string[] {
  return Object.entries(env).flatMap(([name, value]) => {
    // A list of secrets may have one per line.
    const text = /_SECRETS$|^(API_TOKENS|TOKEN_KEY|SESSION_KEY)$/.test(name)
      ? value.replaceAll(/[\r\n\t]/g, ' ')
      : value
    if (unseen.test(text))
      return [`${name} must not contain line breaks, other control characters or invisible characters`]
    // A shell removes quotes; another reader of a settings file may not.
    return quoted.test(text)
      ? [`${name} is in quotes, which would become part of the value: remove them`]
      : []
  })
}
