/**
 * Points at which a process ends by its own hand, as if somebody had pulled its plug there. Loaded before the service, which
 * knows nothing of it: `SIGUSR2` arms the point, and the process is gone when it comes there next.
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
 * Puts a point before a method is called, or after what it promised has come.
 * @param counts whether a call is one of those meant.
 * @throws when there is no such method any more.
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
