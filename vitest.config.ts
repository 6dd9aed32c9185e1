import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{actors,streams,deploy,load}/**/*.test.ts'],
    globalSetup: 'deploy/local/global-setup.ts',
    pool: 'forks',
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
