import { expect, test } from 'vitest'
import { findingsOf, tellsOf } from './english.ts'

const wordsIn = (path: string, text: string) => findingsOf(path, text).map((it) => `${it.line} ${it.word}`)

test('a comment that begins without a subject is found, wherever the comment is', () => {
  const code = [
    '/** What a line holds. */',
    'const a = 1 //\tWho asks.',
    '/**',
    ' * Fine.',
    ' *',
    ' * Where it ends.',
    ' */',
    "const b = 'What is in a string is not checked.'",
  ].join('\n')
  expect(wordsIn('a.ts', code)).toEqual(['1 What a line holds.', '2 Who asks.', '6 Where it ends.'])
  expect(wordsIn('a.yaml', '# What is kept.\na: b # Where it is.')).toEqual([
    '1 What is kept.',
    '2 Where it is.',
  ])
  expect(wordsIn('a.ts', '// Fine, and\n// What goes on is the same sentence.')).toEqual([])
})

test('so is a later sentence of a comment, and an invariant behind its id', () => {
  const code =
    '/**\n * P1. What is kept.\n * P2. It ends. Who asks?\n *     Then: what else. Where it\n *     begins.\n */'
  expect(wordsIn('a.ts', code)).toEqual(['2 What is kept.', '4 Where it begins.'])
  expect(wordsIn('a.sql', '-- What is kept.\nselect 1')).toEqual(['1 What is kept.'])
  expect(wordsIn('a.css', '/* Fine. What opens. */')).toEqual(['1 What opens.'])
})

test('in Markdown headings, tables and questions may begin so', () => {
  const page = '# What it promises\n\n| What | it is |\n\nWhat is\nlost? Nothing.\n\n- Who asks.\n'
  expect(wordsIn('a.md', page)).toEqual(['8 Who asks.'])
})

test('a word is found on its own line, with what to write instead', () => {
  expect(findingsOf('a.md', 'A customer,\nif she\nasks anew.')).toEqual([
    { path: 'a.md', line: 2, word: 'she', write: 'they, them, their; "it" for a process' },
    { path: 'a.md', line: 3, word: 'anew', write: 'again' },
  ])
  expect(wordsIn('a.ts', '// It was cancelled, and nobody knows.')).toEqual(['1 cancelled', '1 nobody'])
})

test('code, links and files of other kinds are not checked', () => {
  expect(
    wordsIn('a.md', '```\nshe\n```\n- so:\n  ```\n  she\n  ```\n`her` [x](her.ts) https://his.example\n'),
  ).toEqual([])
  expect(wordsIn('a.txt', '-- anew')).toEqual([])
})

test('tells are found when they are more than the limit, over all files together', () => {
  const plain = { path: 'a.md', text: 'word '.repeat(10_000) }
  const tells = (count: number) => ({ path: 'b.md', text: 'It tells. '.repeat(count) })
  expect(tellsOf([plain, tells(5)])).toEqual([])
  expect(tellsOf([plain, tells(6)])).toHaveLength(6)
})
