import { cpus, loadavg } from 'node:os'

/** Who else works on the machine takes part in every figure. */
export function machine(): string {
  const [model] = cpus()
  const load = loadavg()[0]!.toFixed(1)
  return `${cpus().length} cores (${model?.model.trim()}), load average before the start ${load}`
}
