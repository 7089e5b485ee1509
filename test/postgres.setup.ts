import type { TestProject } from 'vitest/node';
import { findPostgres, startPostgres } from '../scripts/postgres.mjs';

declare module 'vitest' {
  interface ProvidedContext {
    /** The URL of the server that this run started or was given; null without a server. */
    readonly postgresUrl: string | null;
  }
}

/** One server for all projects of a run: the first one starts it, the last one stops it. */
let server: ReturnType<typeof startPostgres> | undefined;
let users = 0;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const found = findPostgres();
  if (found.kind === 'none') {
    const text = `No Postgres for the tests: ${found.reason}. Set DATABASE_URL, or install it.`;
    if (process.env.CI === 'true') throw new Error(text);
    console.error(`\n!!! ${text}\n!!! Everything that needs it is skipped.\n`);
    project.provide('postgresUrl', null);
    return async () => {};
  }
  server ??= startPostgres();
  users++;
  project.provide('postgresUrl', (await server).url);
  return async () => {
    if (--users > 0) return;
    const running = server;
    server = undefined;
    await (await running)?.stop();
  };
}
