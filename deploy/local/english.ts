/**
 * `node deploy/local/english.ts`: the English of the repository's comments and Markdown, as far as a list of words can
 * check it. Prints `file:line` and a replacement for each finding, and exits with 1 if there are any.
 *
 * Code in backticks or fences and link targets are not checked.
 */
import { readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { root } from './root.ts'
import { sources } from './sources.ts'

/** One comment, or one paragraph, list item, heading or table row of Markdown. */
type Block = { line: number; text: string; mayBeHeadless?: boolean }
type Finding = { path: string; line: number; word: string; write: string }

const tellsPer10kWordsMax = 5
const tell = /\b(?:tells?|told|telling)\b/gi
const notTell = 'notify, report, log, send, print, return or pass'

const headless = /(?:What|Who|Whose|Where|One who|One that)\b(?!')[^.?!:]*(?!\?)(?:[.!:]|$)/
/** In Markdown only the first sentence of a block. */
const headlessFirst = new RegExp(`^${headless.source}`)
const headlessAny = new RegExp(`(?<=^|[.!]\\s)${headless.source}`, 'g')
/** The id of an invariant, which tests cite. */
const invariantId = /^\s*[A-Z]{1,3}\d+\. /

const replacements: [RegExp, string][] = [
  [/\b(?:she|hers?|herself|he|him|his|himself)\b/gi, 'they, them, their; "it" for a process'],
  [/\bcancell(?:ed|ing|able)\b/gi, 'canceled, canceling, cancelable'],
  [/\banew\b/gi, 'again'],
  [/\bseldom\b/gi, 'rarely'],
  [/\b(?:nobody|no one)\b/gi, 'no client, no process: name it'],
  [/\b(?:somebody|someone)\b/gi, 'a client, another process: name it'],
  [/\b(?:whoever|whomever|whom)\b/gi, 'a sentence with a named subject'],
  [/\bone who\b/gi, 'a customer who, a worker that'],
  [/\bbeforehand\b/gi, 'before, in advance'],
  [/\b(?:therein|thereof|thereby|thereupon|wherein|whereof)\b/gi, 'a second sentence'],
  [/\bfor want of\b/gi, 'because there is no'],
  [/\bin vain\b/gi, 'without success'],
  [/\bof late\b/gi, 'recently'],
  [/\b(?:of ours|of theirs|of others')\b/gi, 'its own, the others'],
  [/\bthe like\b/gi, 'similar ones'],
  [/\bstands? still\b/gi, 'hangs'],
  [/\bstands\b(?! (?:for|out)\b)/gi, 'is'],
  [/\bheed(?:s|ed)?\b/gi, 'honor'],
  [/\breckon(?:s|ed)?\b/gi, 'estimate'],
  [/\bby hand\b/gi, 'manually'],
  [/\b(?:for (?:it|they) (?:is|are|was|were|has|have)|save (?:for|that))\b/gi, 'because; except'],
]

/** @returns the findings of one file, apart from how often it tells. */
export function findingsOf(path: string, text: string): Finding[] {
  return blocksOf(path, text).flatMap((block) => {
    const beginning = extname(path) === '.md' ? headlessFirst : headlessAny
    const begin = block.mayBeHeadless
      ? []
      : matches(path, block, beginning, 'a sentence with a named subject')
    return [...begin, ...replacements.flatMap(([word, write]) => matches(path, block, word, write))]
  })
}

/** @returns the tells of all files, if they are more than the limit allows. */
export function tellsOf(files: { path: string; text: string }[]): Finding[] {
  const blocks = files.flatMap(({ path, text }) => blocksOf(path, text).map((block) => ({ path, block })))
  const words = blocks.reduce((sum, { block }) => sum + (block.text.match(/\p{L}+/gu)?.length ?? 0), 0)
  const found = blocks.flatMap(({ path, block }) => matches(path, block, tell, notTell))
  return found.length <= (words / 10_000) * tellsPer10kWordsMax ? [] : found
}

function matches(path: string, { line, text }: Block, pattern: RegExp, write: string): Finding[] {
  const found = pattern.global
    ? [...text.matchAll(pattern)]
    : [text.match(pattern)].filter((it) => it !== null)
  return found.map((it) => {
    const linesBefore = text.slice(0, it.index).split('\n').length - 1
    return { path, line: line + linesBefore, word: it[0].replace(/\s+/g, ' ').slice(0, 50), write }
  })
}

/** How a line of a file of this kind says that it is a comment; `$1` is what opens one, `$2` its text. */
const slashes = /^\s*(\/\*\*?|\/\/|\*(?!\/)|--)(?:\s(.*))?$|\s(\/\/)\s(.*)$/s
const comment: Record<string, RegExp> = {
  '.ts': slashes,
  '.mts': slashes,
  '.mjs': slashes,
  '.sql': slashes,
  '.css': slashes,
}
for (const it of ['.yaml', '.yml', '.sh', '.py', '.toml']) comment[it] = /^\s*(#)(?:\s(.*))?$|\s(#)\s(.*)$/s

function blocksOf(path: string, source: string): Block[] {
  const markdown = extname(path) === '.md'
  const pattern = comment[extname(path)]
  if (!markdown && !pattern) return []
  const text = markdown ? source.replace(/^ *```[\s\S]*?^ *```/gm, (it) => it.replace(/[^\n]/g, '')) : source
  const blocks: Block[] = []
  let open: Block | undefined
  for (const [index, raw] of text.split('\n').entries()) {
    const found = markdown ? ['', '', raw.trim()] : raw.match(pattern!)?.filter((it) => it !== undefined)
    const prose = found?.[2]
      ?.replace(/\*\/$/, '')
      .trimEnd()
      .replace(/`[^`]*`|\]\([^)]*\)|https?:\S+/g, '``')
    const opens = markdown
      ? /^(?:[-*|#>]|\d+\.)\s?/.test(prose!)
      : found?.[1]?.startsWith('/*') || /^\s*\S.*\s(\/\/|#)\s/.test(raw) || invariantId.test(prose ?? '')
    if (!prose?.replace(/^[-*]\s/, '')) open = undefined
    else if (open && !opens) open.text += `\n${prose}`
    else {
      open = {
        line: index + 1,
        text: prose.replace(/^[-*>]\s/, '').replace(invariantId, ''),
        mayBeHeadless: /^[|#]/.test(prose),
      }
      blocks.push(open)
    }
  }
  return blocks
}

if (import.meta.main) {
  const paths = sources('.md', ...Object.keys(comment))
  const files = paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
  const findings = [...files.flatMap(({ path, text }) => findingsOf(path, text)), ...tellsOf(files)]
  for (const { path, line, word, write } of findings)
    console.log(`${path}:${line}: "${word}": write ${write}`)
  if (findings.length > 0) process.exitCode = 1
}
