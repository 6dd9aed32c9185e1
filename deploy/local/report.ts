/** The part of vitest's JSON report that we read. */
export type Report = {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: { status: string; assertionResults: { status: string }[] }[]
}

/**
 * `N passed, N failed[, N skipped]`. A file that could not be run counts as one failure, and so does any other reason why the
 * run failed: the line never shows success when the exit code shows failure.
 *
 * @param report undefined when the tests did not run.
 */
export function count(report: Report | undefined, exitCode: number): string {
  const passed = report?.numPassedTests ?? 0
  const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0)
  const failedFiles = (report?.testResults ?? []).filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  const counted = (report?.numFailedTests ?? 0) + failedFiles.length
  const failed = exitCode === 0 ? counted : Math.max(1, counted)
  return `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`
}
