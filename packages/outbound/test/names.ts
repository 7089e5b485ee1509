import { isIP, type LookupFunction } from 'node:net';

/** A function like `dns.lookup` that resolves every name to these addresses. */
export const answering =
  (...addresses: string[]): LookupFunction =>
  (_hostname, _options, callback) =>
    setImmediate(
      callback,
      null,
      addresses.map((address) => ({ address, family: isIP(address) })),
    );
