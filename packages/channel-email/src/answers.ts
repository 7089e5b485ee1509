/**
 * What a server has answered of one transaction. Of one that ends early nodemailer's error tells nothing of the recipients
 * who were answered before; but it keeps that in the envelope, which a plugin of the transport gets to see.
 */
export interface Answers {
  readonly to: readonly unknown[];
  /** These are there as soon as the server was asked. */
  readonly accepted?: readonly unknown[];
  readonly rejectedErrors?: readonly unknown[];
  /** Its refusal of the sender: what it says of the recipients then means nothing. */
  readonly mailError?: unknown;
}

type Plugin = (mail: unknown, done: () => void) => void;

/** By the envelope that a mail was handed over with. */
const known = new WeakMap<object, Answers>();

/** Transports that are listened to: several channels may share one, and several plugins would do nothing more. */
const heard = new WeakSet<object>();

/** Has a transport of nodemailer's keep what {@link answersTo} tells. Of another kind, it stays without. */
export function hearAnswers(transport: object): void {
  const { use } = transport as { readonly use?: (step: string, plugin: Plugin) => unknown };
  if (typeof use !== 'function' || !('transporter' in transport) || heard.has(transport)) return;
  heard.add(transport);
  use.call(transport, 'stream', (mail, done) => {
    const { data, message } = mail as {
      readonly data: { readonly envelope?: unknown };
      readonly message: { getEnvelope(): Answers };
    };
    const { envelope } = data;
    if (typeof envelope === 'object' && envelope !== null) known.set(envelope, message.getEnvelope());
    done();
  });
}

/** What has been answered by now to the mail that was handed over with this envelope; undefined where nobody can tell. */
export const answersTo = (envelope: object): Answers | undefined => known.get(envelope);
