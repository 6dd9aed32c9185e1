/** `npm run notices:preview`: writes every notice in every language as HTML, and says where. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { previewPages } from './preview.ts'

/** @returns where the index is. */
export async function writePreviews(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true })
  for (const { path, markup } of previewPages()) await writeFile(join(dir, path), markup)
  return join(dir, 'index.html')
}

if (import.meta.main) {
  const index = await writePreviews(resolve('.data', 'notices'))
  console.log(`Every notice in every language: ${index}`)
}
