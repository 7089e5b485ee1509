import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('the storage suite catches every bug that is planted in the memory storage, and finds none besides', async () => {
  const script = fileURLToPath(new URL('../../../scripts/plant-bugs.ts', import.meta.url));
  const args = ['--import', 'tsx', '--conditions=@posthorn/source', script];
  const {
    code = 0,
    stdout,
    stderr,
  } = await promisify(execFile)(process.execPath, args).catch((error) => error);
  expect(code, `${stdout}${stderr}`).toBe(0);
  const [, caught, planted] = /^(\d+) of (\d+) bugs caught$/m.exec(stdout) ?? [];
  expect(Number(caught)).toBeGreaterThan(50);
  expect(caught).toBe(planted);
}, 120_000);
