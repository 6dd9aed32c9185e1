/** The browser of tests and screenshots: Chromium, from the system's packages. */
import { type Browser, chromium } from 'playwright-core'
import { findProgram } from '../local/processes/program.ts'

/** The first that is there. The headless shell needs a quarter of the CPU. */
const programs = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
]

// Its sandbox needs namespaces that containers do not allow; it opens only our own pages.
const args = ['--no-sandbox', '--disable-dev-shm-usage']

export async function openBrowser(): Promise<Browser> {
  const executablePath = findProgram(...programs)
  if (!executablePath) throw new Error('There is no Chromium: npm test installs one')
  return await chromium.launch({ executablePath, args })
}
