import { randomBytes } from 'node:crypto';
import { type Attempt, createDispatcher, type EncryptionKey } from '@posthorn/core';
import { postgresStorage } from '@posthorn/storage-postgres';
import { recordingChannel } from '@posthorn/testing';
import { atLeast, atMost } from '../rig.js';
import type { Scenario } from '../scenario.js';

const keyOf = (id: string): EncryptionKey => ({ id, key: randomBytes(32) });

export const keyChange: Scenario = {
  id: 'G19',
  what: 'the encryption key changes for 10,000 webhooks while two processes send events',
  async run(rig, { size }) {
    const storage = postgresStorage(rig.pool);
    await storage.migrate();
    const [old, fresh] = [keyOf('old'), keyOf('fresh')];
    const attempts: Attempt[] = [];
    let wrong = 0;
    const engineWith = (keys: EncryptionKey[], own = storage) => {
      const channel = { ...recordingChannel(), secretPaths: [['token']] };
      const engine = createDispatcher({ storage: own, channels: [channel], encryption: { keys } });
      const note = ({ attempt }: { readonly attempt: Attempt | null }) => void attempts.push(attempt!);
      engine.on('delivery:delivered', note).on('delivery:failed', note);
      channel.answerWith(({ configs, event }) => {
        const { token } = configs as { token: string };
        if (token !== `token of ${event.type}`) wrong++;
        return { outcome: 'delivered' };
      });
      return engine;
    };
    const count = 10_000 * size;
    const before = engineWith([old, fresh]);
    const after = engineWith([fresh, old]);
    const types = Array.from({ length: count }, (_, i) => `type.t${i}`);
    for (let at = 0; at < count; at += 100) {
      const some = types.slice(at, at + 100).map((type) =>
        before.webhooks.create({
          name: type,
          eventTypes: [type],
          channels: [{ channel: 'webhook', configs: { token: `token of ${type}` } }],
        }),
      );
      await Promise.all(some);
    }
    let isOver = false;
    const traffic = async (engine: typeof before): Promise<void> => {
      for (let i = 0; !isOver; i++) {
        await Promise.all(
          Array.from({ length: 20 }, (_, j) => engine.dispatch(types[(i * 997 + j * 499) % count]!, i)),
        );
        await engine.drain();
      }
    };
    const all = [traffic(before), traffic(after)];
    // The time depends on the machine; the number of statements does not.
    let statements = 0;
    const counting = postgresStorage({
      query(text: string, values?: unknown[]) {
        statements++;
        return rig.pool.query(text, values);
      },
    });
    const written = await engineWith([fresh, old], counting).webhooks.reencrypt();
    isOver = true;
    await Promise.all(all);
    const during = attempts.length;
    const only = engineWith([fresh]);
    for (const type of types.slice(0, 500)) await only.dispatch(type, 0);
    await only.drain();
    return [
      atLeast('webhooks written', written, count),
      atLeast('attempts meanwhile', during, 20),
      atLeast('attempts without the old key', attempts.length - during, 500),
      atMost('failed attempts', attempts.filter(({ outcome }) => outcome !== 'delivered').length, 0),
      atMost('wrong secrets', wrong, 0),
      atMost('statements for each webhook', statements / count, 2.1),
    ];
  },
};
