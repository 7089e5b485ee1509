import { certificate } from '@posthorn/testing/hostile-receiver';
import { expect, test, vi } from 'vitest';
import { client } from './client.js';
import { receiver, response } from './receiver.js';

// A test has no key of an authority that Node trusts. Therefore it adds its own authority to Node's list.
const list = vi.hoisted((): string[] => []);
vi.mock('node:tls', async (original) => ({
  ...(await original<typeof import('node:tls')>()),
  rootCertificates: list,
}));
const known = certificate({ name: 'Known authority' });
list.push(known.cert);

test("authorities of the application are trusted in addition to Node's", async () => {
  const added = certificate({ name: 'Added authority' });
  const outbound = client({ ca: [added.cert] });
  for (const issuer of [known, added]) {
    const { url } = await receiver((socket) => socket.write(response(200)), {
      tls: certificate({ name: 'receiver', issuer, ips: ['127.0.0.1'] }),
    });
    expect(await outbound.request({ url })).toMatchObject({ ok: true, status: 200 });
  }
});
