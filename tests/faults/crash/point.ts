/**
 * Points at which a process kills itself, as in a power failure. Loaded before the service, which does not know about
 * it: `SIGUSR2` arms the point, and the process dies when it gets there next.
 */
let armed = false
process.on('SIGUSR2', () => {
  armed = true
})

function crash(): void {
  if (armed) process.kill(process.pid, 'SIGKILL')
}

type Method = (...args: never[]) => unknown

/**
 * Adds a point before a method is called, or after its promise has resolved.
 * @param counts whether a call counts.
 * @throws when the method no longer exists.
 */
export function crashAt<Name extends string, It extends Record<Name, Method>>(
  where: 'before' | 'after',
  prototype: It,
  name: Name,
  counts: (...args: Parameters<It[Name]>) => boolean = () => true,
): void {
  const method = prototype[name] as unknown as (...args: unknown[]) => unknown
  if (typeof method !== 'function') throw new Error(`Cannot crash at ${name}: there is no such method`)
  const wrapped = function (this: unknown, ...args: unknown[]) {
    if (!counts(...(args as Parameters<It[Name]>))) return method.apply(this, args)
    if (where === 'before') crash()
    const result = method.apply(this, args)
    if (where === 'after') void Promise.resolve(result).then(crash, () => {})
    return result
  }
  Object.assign(prototype, { [name]: wrapped })
}
