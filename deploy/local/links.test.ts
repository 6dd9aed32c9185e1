/** Links and paths in Markdown lead somewhere. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from './root.ts'
import { sources } from './sources.ts'

test.each(sources('.md'))(
  '%s links to files and headings that exist, and names no file that does not',
  async (page) => {
    const text = await readFile(join(root, page), 'utf8')
    const links = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, it]) => it!)
    const broken: string[] = []
    for (const link of links) {
      const [path, anchor] = link.split('#')
      const file = path ? join(root, dirname(page), path) : join(root, page)
      if (!existsSync(file)) broken.push(link)
      else if (anchor && !(await anchorsOf(file)).includes(anchor)) broken.push(link)
    }
    const named = [...text.matchAll(/`((?:actors|platform|streams|tests|load|deploy|docs)\/[\w./-]+)`/g)].map(
      ([, it]) => it!,
    )
    expect([...broken, ...named.filter((path) => !existsSync(join(root, path)))]).toEqual([])
  },
)

/** The anchors that GitHub generates from headings. */
async function anchorsOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8')
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, it]) => it!.toLowerCase())
  return headings.map((it) => it.replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-'))
}
