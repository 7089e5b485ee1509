import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { until } from '@posthorn/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createGuard } from '../src/guard.js';
import { policyOf } from '../src/policy.js';
import { createNames, resolveByLookup } from '../src/resolve.js';
import { type NameServer, nameServer } from './name-server.js';

/** Writes a system file into a temporary folder. */
async function fileOf(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-names-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'file');
  await writeFile(path, text);
  return path;
}

const only = (address: readonly number[]) => (type: 'A' | 'AAAA') => (type === 'A' ? [address] : []);

const six = [0x2a, 0, 0x14, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

test('DNS is queried for both families', async () => {
  const server = await nameServer((type) =>
    type === 'A'
      ? [
          [1, 2, 3, 4],
          [10, 0, 0, 1],
        ]
      : [six],
  );
  expect(await createNames(server).resolve('example.com')).toEqual(['1.2.3.4', '10.0.0.1', '2a00:1450::1']);
});

test.each(['A', 'AAAA'])('a name with addresses of one family only resolves to them, %s', async (only) => {
  const server = await nameServer((type) => (type === only ? [type === 'A' ? [1, 2, 3, 4] : six] : []));
  expect(await createNames(server).resolve('example.com')).toEqual([
    only === 'A' ? '1.2.3.4' : '2a00:1450::1',
  ]);
});

test('an unanswered family does not hide the other', async () => {
  const server = await nameServer((type) => (type === 'A' ? [[1, 2, 3, 4]] : undefined));
  expect(await createNames(server).resolve('example.com')).toEqual(['1.2.3.4']);
});

test('a silent name server ends with the error of DNS', async () => {
  const server = await nameServer(() => undefined);
  await expect(createNames(server).resolve('example.com')).rejects.toMatchObject({ code: 'ETIMEOUT' });
});

describe('name servers', () => {
  test('are replaced when the file that lists them has changed', async () => {
    const [old, current] = [await nameServer(only([1, 2, 3, 4])), await nameServer(only([5, 6, 7, 8]))];
    const resolvConf = await fileOf('nameserver 127.0.9.1');
    let server = old;
    const { resolve } = createNames({ resolvConf, makeResolver: () => server.makeResolver() });
    expect(await resolve('example.com')).toEqual(['1.2.3.4']);
    server = current;
    expect(await resolve('example.com')).toEqual(['1.2.3.4']);
    await writeFile(resolvConf, 'nameserver 127.0.9.2');
    await until(async () => (await resolve('example.com'))[0] === '5.6.7.8', { timeoutMs: 5_000 });
  });

  test('are replaced soon after they have failed, even if no file has changed', async () => {
    const [old, current] = [await nameServer(() => undefined), await nameServer(only([5, 6, 7, 8]))];
    const servers = [old];
    let made = 0;
    const makeResolver = () => {
      made++;
      return (servers.pop() ?? current).makeResolver();
    };
    const { resolve } = createNames({ resolvConf: await fileOf(''), makeResolver });
    await expect(resolve('example.com')).rejects.toMatchObject({ code: 'ETIMEOUT' });
    const found = async () => (await resolve('example.com').catch(() => []))[0] === '5.6.7.8';
    await until(found, { timeoutMs: 5_000 });
    expect(made).toBe(2);
  });

  test('are not replaced after the look-up of a missing name', async () => {
    const server = await nameServer(() => []);
    let made = 0;
    const makeResolver = () => {
      made++;
      return server.makeResolver();
    };
    const { resolve } = createNames({ resolvConf: await fileOf(''), makeResolver });
    const begun = performance.now();
    await until(async () => {
      await expect(resolve('example.com')).rejects.toMatchObject({ code: 'ENOTFOUND' });
      return performance.now() - begun > 1_100;
    });
    expect(made).toBe(1);
  });
});

describe('a name that the application trusts', () => {
  const trusting = async (server: NameServer, { hosts = '', conf = '' }) =>
    createNames({ ...server, hosts: await fileOf(hosts), resolvConf: await fileOf(conf) });

  test('is resolved by the current hosts file without a query', async () => {
    const server = await nameServer(only([1, 2, 3, 4]));
    const hosts = await fileOf(
      '# names\n10.0.0.1 db.local DB # here\nfd00::1\tdb.local\nnonsense db.local\n',
    );
    const { resolve, resolveTrusted } = createNames({ ...server, hosts, resolvConf: await fileOf('') });
    expect(await resolveTrusted('db.local')).toEqual(['10.0.0.1', 'fd00::1']);
    expect(await resolveTrusted('db')).toEqual(['10.0.0.1']);
    expect(server.asked).toEqual([]);
    expect(await resolve('db.local')).toEqual(['1.2.3.4']);
    await writeFile(hosts, '10.0.0.2 db.local');
    await until(async () => (await resolveTrusted('db.local'))[0] === '10.0.0.2', { timeoutMs: 5_000 });
  });

  test('is loopback in both families if it is localhost, without a query', async () => {
    const server = await nameServer(() => []);
    const { resolveTrusted } = await trusting(server, {});
    expect(await resolveTrusted('localhost')).toEqual(['127.0.0.1', '::1']);
    expect(await resolveTrusted('a.localhost')).toEqual(['127.0.0.1', '::1']);
    expect(server.asked).toEqual([]);
  });

  test('is resolved in the search domains, in the order of resolv.conf', async () => {
    const server = await nameServer((type, name) =>
      type === 'A' && name === 'api.b.example' ? [[10, 0, 0, 1]] : [],
    );
    const conf = 'search a.example\nsearch a.example. b.example\noptions edns0 ndots:2\n';
    const { resolve, resolveTrusted } = await trusting(server, { conf });
    expect(await resolveTrusted('api')).toEqual(['10.0.0.1']);
    expect(server.asked).toEqual(['api.a.example', 'api.b.example']);
    await expect(resolveTrusted('x.y.z')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(server.asked.slice(2)).toEqual(['x.y.z', 'x.y.z.a.example', 'x.y.z.b.example']);
    await expect(resolve('api')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  test.each(['refused', 'failed'] as const)(
    'is resolved in the other search domains if one is %s, and that error is reported at the end',
    async (refusal) => {
      const server = await nameServer((type, name) => {
        if (name.endsWith('.lan')) return refusal;
        return type === 'A' && name === 'db.example.com' ? [[10, 0, 0, 1]] : [];
      });
      const { resolveTrusted } = await trusting(server, { conf: 'search lan\noptions ndots:5' });
      expect(await resolveTrusted('db.example.com')).toEqual(['10.0.0.1']);
      const code = { refused: 'EREFUSED', failed: 'ESERVFAIL' }[refusal];
      await expect(resolveTrusted('other.example.com')).rejects.toMatchObject({ code });
    },
  );

  test('is queried once if the name server is silent, however many search domains exist', async () => {
    const server = await nameServer(() => undefined);
    const { resolveTrusted } = await trusting(server, { conf: 'search a.example b.example' });
    await expect(resolveTrusted('api')).rejects.toMatchObject({ code: 'ETIMEOUT' });
    expect(server.asked).toEqual(['api.a.example']);
  });
});

test('hanging name servers block nothing else, since no thread waits for them', async () => {
  const server = await nameServer(() => undefined);
  const guard = createGuard({
    policy: policyOf({ allowHosts: ['*.corp.example'] }),
    connectTimeoutMs: 3_000,
    trust: createSecureContext(),
    names: createNames({ ...server, hosts: await fileOf(''), resolvConf: await fileOf('') }),
  });
  const hanging = Array.from({ length: 100 }, (_, i) => guard.resolve(`https://api${i}.corp.example/`));
  const path = await fileOf('read by a thread');
  expect(await readFile(path, 'utf8')).toBe('read by a thread');
  expect(await guard.resolve('https://8.8.8.8/')).toEqual(['8.8.8.8']);
  for (const result of await Promise.allSettled(hanging)) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'url_unresolvable' } });
  }
});

const lookupAnswering = (answer: unknown) =>
  resolveByLookup((_host, _options, callback) => setImmediate(() => callback(null, answer as never)));

test.each([[undefined], [null], [5], [[]], [{ address: '1.2.3.4' }]])(
  'a look-up that answers with %j finds nothing',
  async (answer) => {
    await expect(lookupAnswering(answer)('a.b')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  },
);

test.each([[null], [{}], [{ address: 5 }], [{ address: 'a.b' }]])(
  'a look-up that answers with %j among others is refused',
  async (entry) => {
    const [address, ...others] = await lookupAnswering([entry, { address: '1.2.3.4', family: 4 }])('a.b');
    expect(isIP(address!)).toBe(0);
    expect(others).toEqual(['1.2.3.4']);
  },
);

test('a look-up may answer with one address or with all', async () => {
  expect(await resolveByLookup((_host, _options, callback) => callback(null, '1.2.3.4', 4))('a.b')).toEqual([
    '1.2.3.4',
  ]);
});
