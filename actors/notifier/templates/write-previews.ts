/** `npm run notices:preview` writes every notice in every language as HTML, and prints the path. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { previewPages } from './preview.ts'

/** @returns the path of the index. */
export async function writePreviews(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true })
  for (const { path, markup } of previewPages()) await writeFile(join(dir, path), markup)
  return join(dir, 'index.html')
}

if (import.meta.main) {
  const index = await writePreviews(resolve('.data', 'notices'))
  console.log(`Every notice in every language: ${index}`)
}
