/**
 * An actor: the state of one key. It takes one message at a time, and only its own events change it.
 *
 * All three functions are pure: no I/O, no clock, no randomness. The same message and state give the same events, so a
 * batch that is decided twice, for example after a failed commit, has the same outcome.
 */
export type Behavior<State, Message, Event> = {
  /** The state of a key before its first event. */
  initial(key: string): State
  /** Returns the events that a message causes. A rejection is an event with a reason, never an exception. */
  decide(message: Message, state: State): Event[]
  /** Returns the state after an event. */
  evolve(state: State, event: Event): State
}

/** Decides one message. @returns its events, and the state after them. */
export function step<State, Message, Event>(
  behavior: Behavior<State, Message, Event>,
  state: State,
  message: Message,
): { events: Event[]; state: State } {
  const events = behavior.decide(message, state)
  return { events, state: events.reduce(behavior.evolve, state) }
}
