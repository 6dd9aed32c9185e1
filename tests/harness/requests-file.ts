/** Reads `requests.http` as editors do: variables, requests separated by `###`, and names for their answers. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './service-process.ts'

export type FileRequest = {
  title: string
  /** To refer to its answer. */
  name: string | undefined
  method: string
  url: string
  headers: Record<string, string>
  body: string | undefined
}

/**
 * Yields the requests in order, with their variables replaced.
 *
 * @param given variables, in place of those in the file.
 * @param answers JSON bodies by the names of their requests. The reader fills it.
 */
export function* requestsOf(
  file: string,
  given: Record<string, string>,
  answers: Map<string, Record<string, unknown>>,
): Generator<FileRequest> {
  const variables = new Map<string, string>()
  const replaced = (text: string): string =>
    text.replace(/\{\{([\w.$]+)\}\}/g, (_, name: string) => {
      const [request, field] = name.split('.response.body.$.')
      const value = field ? answers.get(request!)?.[field] : (given[name] ?? variables.get(name))
      if (value === undefined) throw new Error(`${file} uses ${name}, which is not set there`)
      return String(value)
    })
  const [head, ...blocks] = readFileSync(join(root, file), 'utf8').split(/^### */m)
  const takeVariables = (lines: string[]) => {
    for (const line of lines) {
      const [, name, value] = /^@(\w+) = (.+)$/.exec(line) ?? []
      if (name) variables.set(name, replaced(value!))
    }
  }
  takeVariables(head!.split('\n'))
  for (const block of blocks) {
    const [title, ...lines] = block.trimEnd().split('\n')
    takeVariables(lines)
    const name = lines.map((line) => /^# @name (\w+)$/.exec(line)?.[1]).find(Boolean)
    const [request, ...rest] = lines.filter((line) => !/^[#@]/.test(line))
    const [method, url] = replaced(request!).split(' ')
    const end = rest.includes('') ? rest.indexOf('') : rest.length
    const headers = rest.slice(0, end).map((line) => {
      const [name, value] = replaced(line).split(': ')
      return [name!.toLowerCase(), value!] as const
    })
    const body = replaced(rest.slice(end + 1).join('\n')) || undefined
    yield { title: title!, name, method: method!, url: url!, headers: Object.fromEntries(headers), body }
  }
}
