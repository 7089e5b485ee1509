import { expect, test, vi } from 'vitest';
import { checkUrl } from '../src/index.js';
import { answering } from './names.js';

const own = '93.184.215.14';

// Test machines have no public address; this mock pretends to have one.
vi.mock('node:os', async (importOriginal) => ({
  ...(await importOriginal<typeof import('node:os')>()),
  networkInterfaces: () => ({ eth0: [{ address: own }, { address: '2a00:1450:4001:812::200e' }] }),
}));

const refused = expect.objectContaining({
  code: 'address_forbidden',
  message: expect.stringContaining('this machine'),
});

test('a public address of this machine is refused, by name and literally, in both families', async () => {
  await expect(checkUrl(`https://${own}/`)).rejects.toEqual(refused);
  await expect(checkUrl('https://[2a00:1450:4001:812:0::200e]/')).rejects.toEqual(refused);
  await expect(checkUrl('https://example.com/', { lookup: answering(own) })).rejects.toEqual(refused);
});

test('an address of this machine that the policy allows is accepted, and so is any other public address', async () => {
  const policy = { allowCidrs: [own] };
  expect(await checkUrl(`https://${own}/`, { policy })).toEqual([own]);
  expect(await checkUrl('https://8.8.8.8/')).toEqual(['8.8.8.8']);
});
