import { delivered, failed, rejected, type Verdict } from '@posthorn/core/channel';
import { cutText } from '@posthorn/template';
import type { Outcome, Refusal } from './outcome.js';
import { checkpointOf, type Recipients } from './recipients.js';

/** Cap on the recorded response. */
const maxResponse = 16 * 1024;

/**
 * Turns the outcome of an attempt into a verdict. `readable` redacts secrets from the texts of servers.
 * - A recipient may still get the message: failed. The checkpoint lists the recipients that need no retry.
 * - All recipients are refused permanently: rejected.
 * - Some have the message and the others are refused permanently: delivered, because nothing is left to do. The
 *   response lists the refused recipients.
 */
export function verdictOf(before: Recipients, outcome: Outcome, readable: (text: string) => string): Verdict {
  const { all, left } = before;
  const count = (some: readonly unknown[]) => `${some.length} of ${all.length} recipients`;
  const record = (...lines: readonly string[]) =>
    cutText(readable(lines.filter((line) => line !== '').join('\n')), maxResponse);
  const refusedPermanently = (addresses: readonly string[]) =>
    addresses.length === 0 ? '' : `${count(addresses)} were refused permanently: ${addresses.join(', ')}`;

  if (!('accepted' in outcome)) {
    const { kind, isFinal, status } = outcome;
    const { response = '', refusals = [] } = outcome;
    const message = readable(outcome.message);
    const report = {
      ...(status !== undefined && { status }),
      ...(response !== '' && { response: record(response) }),
    };
    // The message failed for all that were left. Results of earlier attempts and earlier answers remain valid.
    if (!isFinal) {
      const final = refusals.filter((refusal) => refusal.isFinal);
      const refused = [...before.refused, ...final.map(({ recipient }) => recipient)];
      return failed(kind, message, {
        ...report,
        ...(final.length > 0 && { response: record(response, ...final.map(describe)) }),
        ...checkpointOf({ ...before, refused }),
      });
    }
    if (before.done.length === 0) return rejected(kind, message, report);
    return delivered({
      ...report,
      response: record(refusedPermanently([...before.refused, ...left]), response),
    });
  }

  const { response, stoppedBy } = outcome;
  const final = outcome.refusals.filter(({ isFinal }) => isFinal);
  const later = outcome.refusals.filter(({ isFinal }) => !isFinal);
  const done = [...before.done, ...outcome.accepted];
  const refused = [...before.refused, ...final.map(({ recipient }) => recipient)];
  if (later.length > 0) {
    return failed(stoppedBy?.kind ?? later[0]?.kind ?? 'http_status', `${count(later)} will be retried`, {
      ...statusOf(later),
      response: record(...[...later, ...final].map(describe)),
      ...checkpointOf({ deliveryId: before.deliveryId, done, refused }),
    });
  }
  if (done.length === 0) {
    return rejected('config', `${count(refused)} were refused permanently`, {
      ...statusOf(final),
      response: record(...final.map(describe)),
    });
  }
  const [status] = /^\d{3}/.exec(response) ?? [];
  return delivered({
    ...(status !== undefined && { status: Number(status) }),
    response: record(response, refusedPermanently(refused), ...final.map(describe)),
  });
}

const describe = ({ recipient, response }: Refusal): string => `${recipient}: ${response}`;

/** Returns the status of the first refusal. Other transports may have none. */
const statusOf = ([first]: readonly Refusal[]): { readonly status?: number } =>
  first === undefined || first.status === 0 ? {} : { status: first.status };
