import { readdirSync } from 'node:fs';
import { defaultServerConditions } from 'vite';
import { defineConfig, type TestProjectConfiguration, type ViteUserConfig } from 'vitest/config';

/** A folder with tests of its own; they run against the sources, without a build. */
const project = (name: string, root: string): TestProjectConfiguration => ({
  extends: true,
  test: {
    name,
    root,
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    ...(needPostgres.has(name) && { globalSetup: [`${import.meta.dirname}/test/postgres.setup.ts`] }),
  },
});

/** Projects that talk to a Postgres server: it is started when one of them runs. */
const needPostgres = new Set(['api', 'storage-postgres', 'postgres-fleet', 'express-server']);

const folders = (parent: string): string[] => readdirSync(new URL(`./${parent}`, import.meta.url));

const config: ViteUserConfig = defineConfig({
  ssr: { resolve: { conditions: ['@posthorn/source', ...defaultServerConditions] } },
  test: {
    projects: [
      ...folders('packages').map((name) => project(name, `packages/${name}`)),
      ...folders('examples').map((name) => project(name, `examples/${name}`)),
      project('fuzz', 'fuzz'),
      // The repository's own rules, its packed packages, its examples and its docs.
      project('repository', '.'),
    ],
    // Some tests build packages or run whole programs, on machines that may be busy.
    testTimeout: 60_000,
    coverage: { provider: 'v8', include: ['packages/*/src/**/*.ts'] },
  },
});

export default config;
