import { defineConfig } from 'vitest/config'

const minutes = 60_000

export default defineConfig({
  test: {
    include: ['deploy/container/*.check.ts'],
    globalSetup: 'deploy/local/global-setup.ts',
    testTimeout: minutes,
    hookTimeout: 15 * minutes,
  },
})
