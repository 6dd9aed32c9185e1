/** Bugs after a backup of Postgres is restored. */
import type { Bug } from './bug.ts'

export const restores: Bug[] = [
  {
    name: 'execute commands that a restore has undone',
    edits: [
      {
        file: 'streams/batch.ts',
        find: 'if (!redriven && isOfAnother(entry, incarnation))',
        replace: 'if (!redriven && isOfAnother(entry, incarnation) && undone < 0)',
      },
    ],
    scenario: 'restore-stock-down',
    caughtBy: ['no row without a request', 'copies held are those reserved', 'each receipt counts once'],
  },
  {
    name: 'ignore that the database was restored',
    edits: [
      { file: 'streams/incarnation.ts', find: 'if (fault) return this.#fail(fault)', replace: '' },
      // Otherwise the command repairs the effects.
      {
        file: 'deploy/ops/restored/holds.ts',
        find: 'reconciled.released += await release',
        replace: 'release',
      },
    ],
    scenario: 'restore-forgotten',
    caughtBy: ['no row without a request', 'copies held are those reserved'],
  },
]
