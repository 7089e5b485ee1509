import type { Message } from '@posthorn/core';
import { z } from 'zod';
import { parseAddress } from './address.js';
import type { EmailConfigs } from './configs.js';

/** To whom a message goes, and who of them is through with it. Addresses are canonical. */
export interface Recipients {
  /** Of the headers: the same with every attempt. */
  readonly to: readonly string[];
  readonly cc: readonly string[];
  /** All, those without a header included; each once. */
  readonly all: readonly string[];
  /** Who has it by now. */
  readonly done: readonly string[];
  /** Who was refused for good. */
  readonly refused: readonly string[];
  /** Who is left for this attempt. */
  readonly left: readonly string[];
}

const memoSchema = z.strictObject({ done: z.array(z.string()), refused: z.array(z.string()) });

/** Reads configs and the memo of the attempt before; a memo that cannot be read is none. */
export function recipientsOf({ configs, memo }: Message<EmailConfigs>): Recipients {
  const to = configs.to_addresses.map(canonical);
  const cc = (configs.cc_addresses ?? []).map(canonical);
  const all = [...new Set([...to, ...cc, ...(configs.bcc_addresses ?? []).map(canonical)])];
  const known = memo === undefined ? undefined : readMemo(memo);
  // The webhook may have been changed since: who is in its configs no more is nobody's concern.
  const done = all.filter((address) => known?.done.includes(address));
  const refused = all.filter((address) => known?.refused.includes(address) && !done.includes(address));
  return {
    to,
    cc,
    all,
    done,
    refused,
    left: all.filter((address) => !done.includes(address) && !refused.includes(address)),
  };
}

/** What the next attempt has to know; nothing where it has to begin anew. 50 addresses fit into 16 Ki characters. */
export function memoOf({ done, refused }: Pick<Recipients, 'done' | 'refused'>): { readonly memo?: string } {
  return done.length + refused.length === 0 ? {} : { memo: JSON.stringify({ done, refused }) };
}

function readMemo(memo: string): z.infer<typeof memoSchema> | undefined {
  try {
    return memoSchema.safeParse(JSON.parse(memo)).data;
  } catch {
    return undefined;
  }
}

/** What stands in configs was checked when it was saved; should the rules be stricter now, the server judges it. */
const canonical = (text: string): string => parseAddress(text).address ?? text;
