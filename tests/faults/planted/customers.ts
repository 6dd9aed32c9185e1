/** Bugs of limits and blocks. */
import type { Bug } from './bug.ts'

export const customers: Bug[] = [
  {
    name: 'limit by count',
    edits: [
      {
        file: 'actors/reservation/admission.ts',
        find: '}::int - cardinality(s.active), 0)] end',
        replace: `}::int - (
          select count(*)::int from reservation r
          where r.userid = s.userid and r.status = any('{Requested,Waiting,Reserved,Ready}')
        ), 0)] end`,
      },
    ],
    scenario: 'limits-stock-down',
    caughtBy: ['limits and blocks hold'],
  },
  {
    name: 'accept a customer who is blocked',
    edits: [
      {
        file: 'actors/reservation/admission.ts',
        find: ')} then s.active',
        replace: ')} and false then s.active',
      },
    ],
    scenario: 'limits-kill-reservation',
    caughtBy: ['limits and blocks hold'],
  },
  {
    name: 'hand a copy to a blocked customer',
    edits: [
      {
        file: 'actors/stock/shelf.ts',
        find: "if (state.blocked) return refuse(message, state, 'CustomerBlocked')",
        replace: '',
      },
    ],
    scenario: 'limits-desk-races',
    caughtBy: ['blocked customers get no copy'],
  },
  {
    name: 'count what has ended',
    edits: [
      {
        file: 'actors/reservation/composed.ts',
        find: 'limited ? sql`, ${freeSlots(',
        replace: 'limited && verdicts.length < 0 ? sql`, ${freeSlots(',
      },
      // Otherwise the standing is corrected a moment later.
      {
        file: 'actors/reservation/pruning.ts',
        find: 'await reconcile(this.#sql, userids)',
        replace: 'await reconcile(this.#sql, userids.slice(0, 0))',
      },
    ],
    scenario: 'limits-desk-races',
    caughtBy: ['standings are the active reservations', 'limits and blocks refuse only what they must'],
  },
]
