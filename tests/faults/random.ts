/** Reproducible random numbers: all randomness of a run comes from its seed. */

export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /**
   * From 0 to below 1.
   * Source: mulberry32, https://github.com/cprosche/mulberry32
   */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let it = this.#state
    it = Math.imul(it ^ (it >>> 15), it | 1)
    it ^= it + Math.imul(it ^ (it >>> 7), it | 61)
    return ((it ^ (it >>> 14)) >>> 0) / 2 ** 32
  }

  /** Whole, from 0 to below `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  between(min: number, max: number): number {
    return min + this.next() * (max - min)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!
  }

  /** Picks by weight. */
  weighted<Item>(items: readonly (readonly [Item, number])[]): Item {
    let left = this.next() * items.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [item, weight] of items) {
      left -= weight
      if (left < 0) return item
    }
    return items[0]![0]
  }

  /** Time until the next of random events that are `mean` apart on average. */
  exponential(mean: number): number {
    return -Math.log(1 - this.next()) * mean
  }

  shuffled<Item>(items: readonly Item[]): Item[] {
    const left = [...items]
    return items.map(() => left.splice(this.below(left.length), 1)[0]!)
  }

  /** An independent source: its numbers do not depend on later draws from this one. */
  fork(): Random {
    return new Random(this.below(2 ** 32))
  }
}

/** A few items are picked often and many rarely: the weight of the nth is 1 / n. */
export class Zipf<Item> {
  readonly #items: (readonly [Item, number])[]

  constructor(items: readonly Item[]) {
    this.#items = items.map((item, index) => [item, 1 / (index + 1)])
  }

  pick(random: Random): Item {
    return random.weighted(this.#items)
  }
}
