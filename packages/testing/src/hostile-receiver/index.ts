import { goodCertificate, hostileAuthority } from './authority.js';
import type { Behaviour } from './behaviour.js';
import { hostileBehaviours } from './behaviours.js';
import { type RawReceiver, rawReceiver } from './raw-receiver.js';

export { goodCertificate } from './authority.js';
export type { Behaviour } from './behaviour.js';
export { hostileBehaviours } from './behaviours.js';
export { type Certificate, type CertificateOptions, certificate } from './certificate.js';
export * from './raw-receiver.js';

export interface HostileReceiver extends RawReceiver {
  readonly behaviour: Behaviour;
  /** The authority, in PEM, that a client has to trust so that a good certificate is good. */
  readonly ca: string;
}

export interface HostileReceiverOptions {
  /** Whether it is reached over `https:`. Default: only where the behaviour is one of TLS. */
  readonly tls?: boolean;
}

/**
 * A receiver on 127.0.0.1 that does the worst: see `hostileBehaviours` for what there is and how a request has to end.
 * Throws where there is no behaviour of that name, or it is none of plain HTTP. `close` ends it with all its sockets.
 */
export async function hostileReceiver(
  name: string,
  { tls }: HostileReceiverOptions = {},
): Promise<HostileReceiver> {
  const behaviour = Object.hasOwn(hostileBehaviours, name) ? hostileBehaviours[name] : undefined;
  if (!behaviour)
    throw new RangeError(`no behaviour is called ${name}; there are ${Object.keys(hostileBehaviours)}`);
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
