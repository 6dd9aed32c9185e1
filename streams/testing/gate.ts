/** Holds callers of `pass` until it is opened. */
export function gate() {
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
  const { promise: opened, resolve: open } = Promise.withResolvers<void>()
  const pass = () => {
    reach()
    return opened
  }
  return { pass, reached, open }
}
