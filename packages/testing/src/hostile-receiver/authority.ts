import { certificate } from './certificate.js';

/** The address on which hostile receivers listen. */
export const host = '127.0.0.1';

/** The authority that signs the valid certificates. A client that is to trust them needs this one. */
export const hostileAuthority = certificate({ name: 'Hostile Receiver Authority' });
/** The certificate of a receiver that is hostile in another way. */
export const goodCertificate = certificate({ name: host, issuer: hostileAuthority, ips: [host] });
