import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);

/** Runs a program in its own process, which must exit by itself. */
async function program(body: string): Promise<string> {
  const source = `
    import { createDispatcher } from '@posthorn/core';
    import { delivered } from '@posthorn/core/channel';
    import { memoryStorage } from '@posthorn/storage-memory';
    import { z } from 'zod';
    const channel = { type: 'webhook', config: z.unknown(), send: async () => delivered() };
    const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [channel] });
    await dispatcher.webhooks.create({ name: 'all', eventTypes: ['*'], channels: [{ channel: 'webhook', configs: {} }] });
    dispatcher.on('delivery:delivered', () => console.log('delivered'));
    ${body}`;
  const args = ['--conditions=@posthorn/source', '--import=tsx', '--input-type=module', '--eval', source];
  const { stdout } = await run(process.execPath, args, { cwd: import.meta.dirname, timeout: 20_000 });
  return stdout;
}

test('a process that dispatched and drained exits by itself', async () => {
  expect(await program(`await dispatcher.dispatch('a', 1); await dispatcher.drain();`)).toBe('delivered\n');
});

test('a process that started and stopped exits by itself', async () => {
  expect(
    await program(`
      dispatcher.start();
      const done = new Promise((resolve) => dispatcher.once('delivery:delivered', resolve));
      await dispatcher.dispatch('a', 1);
      await done;
      await dispatcher.stop();`),
  ).toBe('delivered\n');
});
