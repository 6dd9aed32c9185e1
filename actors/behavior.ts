/**
 * What an actor is: a key's state, changed only by its own events, decided by messages taken one at a time.
 *
 * All three functions are pure: no I/O, no clock, no randomness. The same message and state give the same
 * events, so a batch that is decided twice (after a lost commit, say) is decided alike.
 */
export type Behavior<State, Message, Event> = {
  /** The state of a key that no event has touched yet. */
  initial(key: string): State
  /** What follows from a message. A rejection is an event that names its reason, never an exception. */
  decide(message: Message, state: State): Event[]
  /** The state after an event. Applying an event that changed nothing before changes nothing now. */
  evolve(state: State, event: Event): State
}

/** Decides one message: its events, and the state they lead to. */
export function step<State, Message, Event>(
  behavior: Behavior<State, Message, Event>,
  state: State,
  message: Message,
): { events: Event[]; state: State } {
  const events = behavior.decide(message, state)
  return { events, state: events.reduce(behavior.evolve, state) }
}
