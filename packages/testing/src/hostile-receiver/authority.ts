import { certificate } from './certificate.js';

/** Where hostile receivers listen. */
export const host = '127.0.0.1';

/** Signs the certificates that are right; a client that is to trust them has to be given this one. */
export const hostileAuthority = certificate({ name: 'Hostile Receiver Authority' });
/** What a receiver has whose certificate is not its fault. */
export const goodCertificate = certificate({ name: host, issuer: hostileAuthority, ips: [host] });
