import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, inject, test } from 'vitest';

const run = promisify(execFile);
const url = inject('postgresUrl');

test.skipIf(url === null)('a worker of the fleet is killed, and nothing is lost', async () => {
  const file = join(import.meta.dirname, '../src/main.ts');
  const args = ['--conditions=@posthorn/source', '--import', 'tsx', file];
  const { stdout } = await run(process.execPath, args, {
    env: { ...process.env, DATABASE_URL: url ?? '' },
    timeout: 60_000,
  });
  expect(stdout).toMatch(/1000 dispatched, 1000 received, 0 missing, \d+ twice/);
});
