import { certificate } from './certificate.js';

export const host = '127.0.0.1';

/** Signs the certificates that are right; a client that is to trust them has to be given this one. */
export const hostileAuthority = certificate({ name: 'Hostile Receiver Authority' });
export const goodCertificate = certificate({ name: host, issuer: hostileAuthority, ips: [host] });
