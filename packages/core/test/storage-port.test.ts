import { createDispatcher, type Storage } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { expect, test } from 'vitest';

/** The memory storage with other members, as JavaScript may hand it in. */
const changed = (members: object): Storage => ({ ...memoryStorage(), ...members });
const dispatcherOn = (storage: Storage) => createDispatcher({ storage, channels: [] });

test.each<[string, object, RegExp]>([
  [
    'does not say what it supports',
    { supports: undefined },
    /^storage\.supports must be an object.*undefined/,
  ],
  ['says it in no object', { supports: true }, /^storage\.supports must be an object.*boolean/],
  [
    'supports what is unknown',
    { supports: { digest: true } },
    /^storage\.supports\.digest is unknown.*digests/,
  ],
  [
    'supports maybe',
    { supports: { digests: 'yes' } },
    /^storage\.supports\.digests must be a boolean.*string/,
  ],
  ['is volatile maybe', { isVolatile: 1 }, /^storage\.isVolatile must be a boolean.*number/],
])('a storage that %s is refused', (_, members, message) => {
  const refused = expect.objectContaining({
    code: 'invalid_option',
    message: expect.stringMatching(message),
  });
  expect(() => dispatcherOn(changed(members))).toThrow(refused);
});

test('a transaction is refused where the storage supports none, and nothing is written', async () => {
  const dispatcher = dispatcherOn(memoryStorage());
  const options = { tx: {} as never };
  const refused = { code: 'invalid_option', message: 'tx: this storage has no transactions' };
  await expect(dispatcher.dispatch('order.created', {}, options)).rejects.toMatchObject(refused);
  await expect(
    dispatcher.dispatchMany([{ type: 'order.created', payload: {} }], options),
  ).rejects.toMatchObject(refused);
  expect((await dispatcher.events.list()).items).toEqual([]);
});
