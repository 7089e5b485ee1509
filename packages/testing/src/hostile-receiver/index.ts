import { goodCertificate, hostileAuthority } from './authority.js';
import type { Behaviour } from './behaviour.js';
import { hostileBehaviours } from './behaviours.js';
import { type RawReceiver, rawReceiver } from './raw-receiver.js';

export { goodCertificate } from './authority.js';
export type { Behaviour } from './behaviour.js';
export { hostileBehaviours } from './behaviours.js';
export { type Certificate, type CertificateOptions, certificate } from './certificate.js';
export * from './raw-receiver.js';

/** A receiver that misbehaves in one way. */
export interface HostileReceiver extends RawReceiver {
  readonly behaviour: Behaviour;
  /** The authority, in PEM, that a client must trust to accept valid certificates. */
  readonly ca: string;
}

/** Options of `hostileReceiver`. */
export interface HostileReceiverOptions {
  /** Whether it is reached over `https:`. Default: only where the behaviour is one of TLS. */
  readonly tls?: boolean;
}

/**
 * Starts a hostile receiver on 127.0.0.1. `hostileBehaviours` lists the behaviours and how a request must end. `close`
 * ends it with all its sockets. Throws for an unknown behaviour, and for one of TLS where `tls` is false.
 */
export async function hostileReceiver(
  name: string,
  { tls }: HostileReceiverOptions = {},
): Promise<HostileReceiver> {
  const behaviour = Object.hasOwn(hostileBehaviours, name) ? hostileBehaviours[name] : undefined;
  if (!behaviour)
    throw new RangeError(`unknown behaviour ${name}; expected one of ${Object.keys(hostileBehaviours)}`);
  if (behaviour.tls !== undefined && tls === false) throw new RangeError(`${name} is a behaviour of TLS`);
  const isTls = tls ?? behaviour.tls !== undefined;
  const server = behaviour.server ?? (() => goodCertificate);
  const receiver = await rawReceiver(behaviour.answer, {
    ...(isTls && behaviour.tls !== 'raw' && { tls: server() }),
    ...(behaviour.onConnection && { onConnection: behaviour.onConnection }),
  });
  const url = isTls ? receiver.url.replace('http:', 'https:') : receiver.url;
  return { ...receiver, url, behaviour, ca: hostileAuthority.cert };
}
