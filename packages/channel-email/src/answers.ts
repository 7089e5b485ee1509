/**
 * The answers of a server in one transaction. If a transaction ends early, nodemailer's error does not contain the
 * earlier answers about recipients. nodemailer keeps them in the envelope, which a plugin of the transport can read.
 */
export interface Answers {
  readonly to: readonly unknown[];
  /** Set once the server has been asked about recipients. */
  readonly accepted?: readonly unknown[];
  readonly rejectedErrors?: readonly unknown[];
  /** The refusal of the sender. Answers about recipients have no meaning then. */
  readonly mailError?: unknown;
}

type Plugin = (mail: unknown, done: () => void) => void;

/** The answers by the envelope that was passed to `sendMail`. */
const known = new WeakMap<object, Answers>();

/** Transports that already have the plugin. Several channels may share one. */
const heard = new WeakSet<object>();

/** Adds the plugin that collects answers for {@link answersTo} to a nodemailer transport. Ignores other transports. */
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

/** Returns the answers so far for a mail sent with this envelope; undefined if the transport does not report them. */
export const answersTo = (envelope: object): Answers | undefined => known.get(envelope);
