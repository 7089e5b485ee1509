import type { DeliveryLog } from '@posthorn/core/storage';
import type { Session } from '../session/session.js';
import { num } from '../space/keys.js';

/** Forgets events that have nothing unfinished, the oldest first, with all that is theirs. */
export async function prune(
  { draft, now }: Session,
  { olderThanMs, limit }: Parameters<DeliveryLog['prune']>[0],
): Promise<number> {
  const old = await draft.under('f/', { before: `f/${num(now - olderThanMs + 1)}`, limit });
  for (const [finished] of old) {
    const [, , tenant, event] = finished.split('/');
    draft.delete(finished);
    draft.delete(`e/${tenant}/${event}`);
    for (const space of ['d', 'a']) {
      const prefix = `${space}/${tenant}/`;
      const bounds = { from: prefix + event, before: `${prefix}${event}~` };
      for await (const [key] of draft.each(prefix, bounds)) draft.delete(key);
    }
  }
  return old.length;
}
