import { defaultServerConditions } from 'vite';
import { defineConfig, type TestProjectConfiguration, type ViteUserConfig } from 'vitest/config';

/** Tests that run together, against the sources, without a build; within one project each source is loaded once. */
const project = (
  name: string,
  tests: string,
  { exclude = [], ...more }: { exclude?: string[]; isolate?: boolean; globalSetup?: string[] } = {},
): TestProjectConfiguration => ({
  extends: true,
  test: {
    name,
    root: import.meta.dirname,
    include: [tests],
    exclude: ['**/node_modules/**', ...exclude],
    // Loading all anew for each file would take as long as the tests do.
    isolate: false,
    ...more,
  },
});

/** Some put something else in the place of a module, or want all memory for themselves. */
const alone = 'packages/{outbound/test/**/*,storage-postgres/test/pglite}.test.ts';
const onPostgres =
  '{packages/{api,storage-postgres},examples/{postgres-fleet,express-server}}/test/**/*.test.ts';

const config: ViteUserConfig = defineConfig({
  ssr: { resolve: { conditions: ['@posthorn/source', ...defaultServerConditions] } },
  test: {
    projects: [
      project('alone', alone, { isolate: true }),
      // A server is started when they run.
      project('postgres', onPostgres, { exclude: [alone], globalSetup: ['test/postgres.setup.ts'] }),
      project('packages', '{packages,examples}/*/test/**/*.test.ts', { exclude: [alone, onPostgres] }),
      project('fuzz', 'fuzz/test/*.test.ts'),
      // The repository's own rules, its packed packages, its examples and its docs.
      project('repository', 'test/*.test.ts'),
    ],
    // One for each core: Vitest's own default leaves one core idle, and there may be only two.
    maxWorkers: '100%',
    // Some tests build packages or run whole programs, on machines that may be busy.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: { provider: 'v8', include: ['packages/*/src/**/*.ts'] },
  },
});

export default config;
