import { delivered, failed, rejected, type Verdict } from '@posthorn/core';
import { cutText } from '@posthorn/template';
import type { Outcome, Refusal } from './outcome.js';
import { memoOf, type Recipients } from './recipients.js';

/** How much of an answer is kept. */
const maxResponse = 16 * 1024;

/**
 * What an attempt means for the delivery. Someone may still get it: failed, and the memo says who need not be asked again.
 * Nobody can: rejected. Some have it and the rest never will: delivered, as it did arrive and nothing is left to do; the
 * response says who was refused. `readable` cuts secrets from what servers say.
 */
export function verdictOf(before: Recipients, outcome: Outcome, readable: (text: string) => string): Verdict {
  const { all, left } = before;
  const count = (some: readonly unknown[]) => `${some.length} of ${all.length} recipients`;
  const record = (...lines: readonly string[]) =>
    cutText(readable(lines.filter((line) => line !== '').join('\n')), maxResponse);
  const refusedForGood = (addresses: readonly string[]) =>
    addresses.length === 0 ? '' : `${count(addresses)} were refused for good: ${addresses.join(', ')}`;

  if (!('accepted' in outcome)) {
    const { kind, isFinal, status } = outcome;
    const { response = '', refusals = [] } = outcome;
    const message = readable(outcome.message);
    const report = {
      ...(status !== undefined && { status }),
      ...(response !== '' && { response: record(response) }),
    };
    // It failed for all who were left; what came of earlier attempts stays true, and what was answered before it did.
    if (!isFinal) {
      const final = refusals.filter((refusal) => refusal.isFinal);
      const refused = [...before.refused, ...final.map(({ recipient }) => recipient)];
      return failed(kind, message, {
        ...report,
        ...(final.length > 0 && { response: record(response, ...final.map(said)) }),
        ...memoOf({ ...before, refused }),
      });
    }
    if (before.done.length === 0) return rejected(kind, message, report);
    return delivered({ ...report, response: record(refusedForGood([...before.refused, ...left]), response) });
  }

  const { response, stoppedBy } = outcome;
  const final = outcome.refusals.filter(({ isFinal }) => isFinal);
  const later = outcome.refusals.filter(({ isFinal }) => !isFinal);
  const done = [...before.done, ...outcome.accepted];
  const refused = [...before.refused, ...final.map(({ recipient }) => recipient)];
  if (later.length > 0) {
    return failed(
      stoppedBy?.kind ?? later[0]?.kind ?? 'http_status',
      `${count(later)} are to be tried again`,
      {
        ...statusOf(later),
        response: record(...[...later, ...final].map(said)),
        ...memoOf({ deliveryId: before.deliveryId, done, refused }),
      },
    );
  }
  if (done.length === 0) {
    return rejected('config', `${count(refused)} were refused for good`, {
      ...statusOf(final),
      response: record(...final.map(said)),
    });
  }
  const [status] = /^\d{3}/.exec(response) ?? [];
  return delivered({
    ...(status !== undefined && { status: Number(status) }),
    response: record(response, refusedForGood(refused), ...final.map(said)),
  });
}

const said = ({ recipient, response }: Refusal): string => `${recipient}: ${response}`;

/** Of the first; a transport of another kind may have none. */
const statusOf = ([first]: readonly Refusal[]): { readonly status?: number } =>
  first === undefined || first.status === 0 ? {} : { status: first.status };
