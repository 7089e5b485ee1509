import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { channelConformance } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { fileChannel } from '../src/file-channel.js';

/** Every line of every file in the folder. */
function linesIn(folder: string): { id: string; payload: unknown }[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((file) =>
    readFileSync(join(folder, file), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
}

channelConformance({
  runner: { describe, test },
  async open() {
    const folder = mkdtempSync(join(tmpdir(), 'posthorn-'));
    return {
      channel: fileChannel(folder),
      configs: [{ file: 'orders' }, { file: 'audit-2026' }],
      // A folder that is not there is a receiver that says no.
      answer: (how) =>
        how === 'success'
          ? mkdirSync(folder, { recursive: true })
          : rmSync(folder, { recursive: true, force: true }),
      received: () => linesIn(folder).map(({ id, payload }) => ({ eventId: id, payload })),
      close: async () => rmSync(folder, { recursive: true, force: true }),
    };
  },
  skip: {
    'the event id is what reaches the receiver, the same with every attempt':
      'a missing folder receives nothing',
    'a receiver that never answers is left within a second of the signal': 'a file answers or fails',
    'many that hang are left at once, and the next send works': 'a file answers or fails',
  },
});
