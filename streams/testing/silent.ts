import type { Telemetry } from '../telemetry.ts'

/** Ignores every report. */
export const silent: Telemetry = {
  handling() {},
  batch() {},
  committed() {},
  fenceFailed() {},
  deadLettered() {},
  lag() {},
  released() {},
}
