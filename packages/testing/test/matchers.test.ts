import '@posthorn/testing/vitest';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { build } from 'tsup';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

test('under Vitest, each matcher passes where it should, and names what was delivered where it should not', async () => {
  const partner = recordingChannel();
  const posthorn = testDispatcher({ channels: [partner] });
  const channels = [{ channel: 'webhook', configs: {} }];
  await posthorn.webhooks.create({ name: 'A', eventTypes: ['*'], channels });
  expect(partner).toHaveDeliveredNothing();
  expect(() => expect(partner).toHaveDelivered('a.b')).toThrow('delivered: nothing');
  await posthorn.dispatch('a.b', { id: 1 });
  await posthorn.drain();
  expect(partner).toHaveDelivered('a.b', { id: expect.any(Number) });
  expect(partner).toHaveDeliveredTimes('a.b', 1);
  expect(() => expect(partner).toHaveDelivered('a.b', { id: 2 })).toThrow('"id": 1');
  expect(() => expect(partner).toHaveDeliveredTimes('a.b', 2)).toThrow('there were 1');
  expect(() => expect(partner).toHaveDeliveredNothing()).toThrow('delivered: a.b');
});

test('under node:test, the assertions do the same', async () => {
  const { stdout } = await run(process.execPath, [
    '--import',
    'tsx',
    '--conditions=@posthorn/source',
    '--test',
    '--test-reporter=tap',
    fileURLToPath(new URL('./under-node-matchers.ts', import.meta.url)),
  ]);
  expect(stdout).toMatch(/# pass 1\n# fail 0/);
});

test('under Jest, the matchers do the same', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-jest-'));
  try {
    // Jest does not read TypeScript.
    await build({
      entry: [fileURLToPath(new URL('./under-jest.ts', import.meta.url))],
      format: 'esm',
      outDir: folder,
      outExtension: () => ({ js: '.test.mjs' }),
      external: ['@jest/globals'],
      noExternal: [/^(?!@jest)/],
      esbuildOptions: (options) => {
        options.conditions = ['@posthorn/source'];
      },
      config: false,
      silent: true,
    });
    const jest = require.resolve('jest/bin/jest');
    const settings = {
      rootDir: folder,
      testMatch: ['**/*.test.mjs'],
      transform: {},
      moduleFileExtensions: ['mjs', 'js'],
    };
    const args = [
      '--experimental-vm-modules',
      jest,
      '--ci',
      '--runInBand',
      '--json',
      '--config',
      JSON.stringify(settings),
    ];
    const { stdout } = await run(process.execPath, args, { cwd: folder }).catch((error) => error);
    const { numPassedTests, testResults } = JSON.parse(stdout);
    expect(testResults.map(({ message }: { message: string }) => message)).toEqual(['']);
    expect(numPassedTests).toBe(1);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
