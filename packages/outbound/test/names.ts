import { isIP, type LookupFunction } from 'node:net';

/** A look-up, in the manner of `dns.lookup`, by which every name leads to these addresses. */
export const answering =
  (...addresses: string[]): LookupFunction =>
  (_hostname, _options, callback) =>
    setImmediate(
      callback,
      null,
      addresses.map((address) => ({ address, family: isIP(address) })),
    );
