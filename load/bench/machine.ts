import { cpus, loadavg } from 'node:os'

/** Includes the load average, because other work on the machine affects every figure. */
export function machine(): string {
  const [model] = cpus()
  const load = loadavg()[0]!.toFixed(1)
  return `${cpus().length} cores (${model?.model.trim()}), load average before the start ${load}`
}
