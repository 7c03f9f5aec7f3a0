import { defineConfig } from 'vitest/config';

/** Against the platform that HEADRACE_URL names: `tests/ui` starts one. One browser, one test after the other. */
export default defineConfig({
  test: { include: ['test/browser/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false },
});
