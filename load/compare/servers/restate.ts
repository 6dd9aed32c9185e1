/**
 * Restate: durable execution. A book is a virtual object: Restate stores its state and runs its handlers one at a time. Customers
 * call Restate's own ingress. https://docs.restate.dev/foundations/services
 *
 * It stores counters and no list of reservations, which is less than the others do.
 */
import * as restate from '@restatedev/restate-sdk'

const book = restate.object({
  name: 'book',
  handlers: {
    receive: async (ctx: restate.ObjectContext, { qty }: { qty: number }) => {
      ctx.set('qty', ((await ctx.get<number>('qty')) ?? 0) + qty)
    },
    reserve: async (ctx: restate.ObjectContext, { userid }: { userid: string }) => {
      const qty = (await ctx.get<number>('qty')) ?? 0
      const status = qty > 0 ? 'Reserved' : 'Failed'
      if (qty > 0) ctx.set('qty', qty - 1)
      return { id: ctx.rand.uuidv4(), bookid: ctx.key, userid, status }
    },
    stock: restate.handlers.object.shared(async (ctx: restate.ObjectSharedContext) => ({
      qty: (await ctx.get<number>('qty')) ?? 0,
    })),
  },
})

await restate.serve({ services: [book], port: Number(process.env.PORT) })
