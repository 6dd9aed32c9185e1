import { globSync } from 'node:fs'
import { root } from './root.ts'

/** @returns the repository's files of these extensions, relative to its root. Without git, which a download lacks. */
export const sources = (...extensions: string[]): string[] =>
  globSync(
    extensions.map((it) => `**/*${it}`),
    {
      cwd: root,
      exclude: (name) => /^\.|^node_modules$/.test(name.split('/').at(-1)!),
    },
  ).sort()
