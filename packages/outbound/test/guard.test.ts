import type { LookupFunction } from 'node:net';
import { createSecureContext, type TLSSocket } from 'node:tls';
import { isPosthornError } from '@posthorn/core';
import { until } from '@posthorn/testing';
import { certificate } from '@posthorn/testing/hostile-receiver';
import { describe, expect, test } from 'vitest';
import { createGuard, type Guard } from '../src/guard.js';
import { checkUrl, createOutbound, type OutboundPolicy } from '../src/index.js';
import { policyOf } from '../src/policy.js';
import { client } from './client.js';
import { answering } from './names.js';
import { receiver, response } from './receiver.js';

const authority = certificate({ name: 'Test authority' });

const publicAddress = '93.184.215.14';

async function errorOf(url: string, policy: OutboundPolicy = {}): Promise<{ code: string; message: string }> {
  try {
    await checkUrl(url, { policy: { lookup: answering(publicAddress), ...policy } });
  } catch (error) {
    if (isPosthornError(error)) return error;
    throw error;
  }
  return { code: 'fine', message: '' };
}

const codeOf = async (url: string, policy?: OutboundPolicy): Promise<string> =>
  (await errorOf(url, policy)).code;

describe('a URL', () => {
  test.each([
    'https://example.com',
    'https://example.com/',
    'https://example.com:8443/hook?key=1&b=%20',
    'HTTPS://EXAMPLE.COM/hook',
    'https://münchen.example/straße',
    'https://example.com./hook',
    'https://example.com.:8443/hook',
    'https://[2a00:1450:4001:812::200e]:8443/hook',
    `https://example.com/${'a'.repeat(2000)}`,
  ])('%.60s is fine', async (url) => {
    expect(await codeOf(url)).toBe('fine');
  });

  test.each([
    ['', 'url_invalid'],
    ['example.com/hook', 'url_invalid'],
    ['//example.com/hook', 'url_invalid'],
    ['https://', 'url_invalid'],
    ['https:example.com', 'url_invalid'],
    ['https:/example.com', 'url_invalid'],
    ['https:///example.com', 'url_invalid'],
    ['https:\\\\example.com', 'url_invalid'],
    ['https://example.com\\@evil.example', 'url_invalid'],
    [' https://example.com', 'url_invalid'],
    ['https://example.com ', 'url_invalid'],
    ['https://exa\tmple.com', 'url_invalid'],
    ['https://example.com/\r\nx-evil: 1', 'url_invalid'],
    ['https://example.com/\u0000', 'url_invalid'],
    ['https://example.com/\u2028', 'url_invalid'],
    ['https://example.com/\ud800', 'url_invalid'],
    ['https://example.com:99999/', 'url_invalid'],
    ['https://xn--a.example/', 'url_invalid'],
    ['https://hooks.XN--0.example:8443/', 'url_invalid'],
    ['https://groẞ.example/', 'url_invalid'],
    ['https://gro%e1%ba%9e.example/', 'url_invalid'],
    ['https://exa mple.com', 'url_invalid'],
    ['https://[::1', 'url_invalid'],
    ['https://1.2.3.4.5/', 'url_invalid'],
    [`https://example.com/${'a'.repeat(2048)}`, 'url_invalid'],
    [`https://example.com/${'é'.repeat(400)}`, 'url_invalid'],
    ['https://user:secret@example.com', 'url_credentials'],
    ['https://user@example.com', 'url_credentials'],
    ['https://@example.com', 'url_credentials'],
    ['https://:@example.com', 'url_credentials'],
    ['http://example.com', 'url_scheme'],
    ['ftp://example.com', 'url_scheme'],
    ['file:///etc/passwd', 'url_scheme'],
    ['javascript:alert(1)', 'url_scheme'],
    ['data:text/plain,hello', 'url_scheme'],
    ['unix:/var/run/docker.sock', 'url_scheme'],
    ['gopher://example.com', 'url_scheme'],
    ['blob:https://example.com/1', 'url_scheme'],
  ])('%j is refused as %s', async (url, code) => {
    expect(await codeOf(url)).toBe(code);
  });

  test('may be plain HTTP only where the application allows it', async () => {
    expect(await codeOf('http://example.com')).toBe('url_scheme');
    expect(await codeOf('http://example.com', { allowHttp: true })).toBe('fine');
    expect(await codeOf('ftp://example.com', { allowHttp: true })).toBe('url_scheme');
  });

  test('of plain HTTP is refused with a hint how to allow it; one of another scheme without', async () => {
    expect((await errorOf('http://example.com')).message).toBe(
      'url must begin with https://; the host application allows plain HTTP with policy.allowHttp',
    );
    expect((await errorOf('ftp://example.com')).message).toBe('url must begin with https://');
  });

  test('is never quoted when it is refused, since its path may be a secret', async () => {
    for (const url of [
      'http://example.com/canary',
      'https://user:canary@example.com',
      'canary canary',
      'https://10.0.0.1/canary',
    ]) {
      expect((await errorOf(url)).message).toMatch(/^url must (?!.*canary)/);
    }
  });

  test('may contain an @ in its path or query', async () => {
    expect(await codeOf('https://example.com/@me?to=a@b')).toBe('fine');
  });
});

test('a request to a refused address rejects, and nothing is sent', async () => {
  const { url, requests, sockets } = await receiver((socket) => socket.write(response(200)));
  const outbound = client({ policy: {} });
  await expect(outbound.request({ url })).rejects.toMatchObject({ code: 'url_scheme' });
  expect(requests).toEqual([]);
  expect(sockets).toEqual([]);
});

test('the path and the query are sent as the URL standard serializes them', async () => {
  const { url, requests } = await receiver((socket) => socket.write(response(200)));
  await client().request({ url: `${url}/a%2Fb/ü?q=%41&r=a+b#gone` });
  expect(requests[0]).toMatch(/^POST \/hook\/a%2Fb\/%C3%BC\?q=%41&r=a\+b HTTP\/1\.1\r\n/);
});

test('a trailing dot of a name is removed before the name is dialled and sent to the receiver', async () => {
  const tls = certificate({ name: 'example.com', issuer: authority });
  const { port, requests, sockets } = await receiver((socket) => socket.write(response(200)), { tls });
  const asked: string[] = [];
  const lookup: LookupFunction = (host, ...rest) => {
    asked.push(host);
    answering('127.0.0.1')(host, ...rest);
  };
  const outbound = client({ policy: { allowCidrs: ['127.0.0.1'], lookup }, ca: authority.cert });
  for (const host of ['example.com.', 'example.com']) {
    const result = await outbound.request({ url: `https://${host}:${port}/hook` });
    expect(result).toMatchObject({ ok: true, status: 200 });
  }
  expect(asked).toEqual(['example.com']);
  expect(sockets.map((socket) => (socket as TLSSocket & { servername: string }).servername)).toEqual([
    'example.com',
  ]);
  expect(requests.map((request) => /\r\nhost: (.*)\r\n/.exec(request)?.[1])).toEqual([
    `example.com:${port}`,
    `example.com:${port}`,
  ]);
});

describe('a host that is not public is refused without a look-up', () => {
  const unasked: OutboundPolicy = {
    lookup: () => {
      throw new Error('was asked');
    },
  };

  test.each([
    '0.0.0.0',
    '10.0.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '192.168.1.1',
    '100.100.100.200',
    '168.63.129.16',
    '255.255.255.255',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '127.1',
    '0x7f.1',
    '127.0.0.1.',
    '%31%32%37.0.0.1',
    '１２７.０.０.１',
    '127。0。0。1',
    '①②⑦.0.0.1',
    '[::]',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::7f00:1]',
    '[0:0:0:0:0:ffff:a9fe:a9fe]',
    '[64:ff9b::a9fe:a9fe]',
    '[64:ff9b:1::a00:1]',
    '[2002:7f00:1::1]',
    '[2001:0:7f00:1::1]',
    '[2a00:1450::5efe:7f00:1]',
    '[5f00::7f00:1]',
    '[fe80::1]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '[fec0::1]',
    '[ff02::1]',
    '[100::1]',
    '[100:0:0:1::1]',
    '[2001:db8::1]',
    '[3fff::1]',
    'localhost',
    'LOCALHOST',
    'ｌocalhost',
    'a.localhost',
    'localhost.',
    'example.com..',
    'com.',
    'printer.local.',
    'printer.local',
    'metadata.google.internal',
    'router.home.arpa',
    'hidden.onion',
    'metadata',
    'intranet',
  ])('%s', async (host) => {
    expect(await codeOf(`https://${host}/`, unasked)).toBe('address_forbidden');
  });

  test('a URL with a zone id is invalid', async () => {
    expect(await codeOf('https://[fe80::1%25eth0]/')).toBe('url_invalid');
  });
});

describe('a name', () => {
  const codeWhereItLeadsTo = async (...addresses: string[]): Promise<string> =>
    codeOf('https://example.com/', { lookup: answering(...addresses) });

  test('that resolves to public addresses only is accepted, and the addresses are returned', async () => {
    const lookup = answering(publicAddress, '2a00:1450:4001:812::200e');
    expect(await checkUrl('https://example.com', { lookup })).toEqual([
      publicAddress,
      '2a00:1450:4001:812::200e',
    ]);
  });

  test.each([
    '127.0.0.1',
    '10.0.0.1',
    '169.254.169.254',
    '::1',
    '::ffff:10.0.0.1',
    'fe80::1%eth0',
    'rubbish',
  ])('that resolves to %s is refused, even with a public address beside it', async (address) => {
    expect(await codeWhereItLeadsTo(address)).toBe('address_forbidden');
    expect(await codeWhereItLeadsTo(publicAddress, address)).toBe('address_forbidden');
    expect(await codeWhereItLeadsTo(address, publicAddress)).toBe('address_forbidden');
  });

  test('is unresolvable if it has no address, or its look-up fails, throws or never ends', async () => {
    const failing: OutboundPolicy['lookup'] = (_host, _options, callback) =>
      callback(Object.assign(new Error('no'), { code: 'ESERVFAIL' }), []);
    const throwing: OutboundPolicy['lookup'] = () => {
      throw new Error('no');
    };
    expect(await codeWhereItLeadsTo()).toBe('url_unresolvable');
    expect(await codeOf('https://example.com/', { lookup: failing })).toBe('url_unresolvable');
    expect(await codeOf('https://example.com/', { lookup: throwing })).toBe('url_unresolvable');
    const hanging = createOutbound({ policy: { lookup: () => {} }, connectTimeoutMs: 20 });
    await expect(hanging.checkUrl('https://example.com/')).rejects.toMatchObject({
      code: 'url_unresolvable',
    });
  });

  test.each<[string, LookupFunction]>([
    [
      'throws',
      () => {
        throw new Error('canary');
      },
    ],
    ['rejects', (async () => Promise.reject(new Error('canary'))) as never],
    [
      'fails with a value that is not an error',
      (_host, _options, callback) => callback('canary' as never, []),
    ],
    ['answers with text that is not an address', (_host, _options, callback) => callback(null, 'canary', 4)],
    ['answers with an empty list', (_host, _options, callback) => callback(null, [])],
  ])(
    'whose look-up %s is unresolvable, allowed or not, and does not crash the process',
    async (_, lookup) => {
      for (const policy of [{ lookup }, { lookup, allowHosts: ['example.com'] }]) {
        const code = await codeOf('https://example.com/', policy);
        const result = await client({ policy }).request({ url: 'https://example.com/' });
        if (code === 'address_forbidden') {
          expect(result).toMatchObject({ ok: false, kind: 'address_forbidden' });
        } else {
          expect(code).toBe('url_unresolvable');
          expect(result).toEqual({
            ok: false,
            kind: 'dns',
            message: expect.stringMatching(/^the host name could not be resolved(?!.*canary)/),
          });
        }
      }
    },
  );

  test('is resolved by DNS by default, and one that does not exist is unresolvable', async () => {
    await expect(checkUrl('https://missing.invalid/')).rejects.toMatchObject({ code: 'url_unresolvable' });
  });
});

describe('the policy', () => {
  const leadingTo = (address: string, policy: OutboundPolicy): Promise<string> =>
    codeOf('https://api.example.com/', { lookup: answering(address), ...policy });

  test('allows hosts by exact name or by suffix', async () => {
    expect(await leadingTo('10.0.0.1', { allowHosts: ['api.example.com'] })).toBe('fine');
    expect(await leadingTo('10.0.0.1', { allowHosts: ['API.example.COM'] })).toBe('fine');
    expect(await leadingTo('10.0.0.1', { allowHosts: ['*.example.com'] })).toBe('fine');
    expect(await leadingTo('10.0.0.1', { allowHosts: ['example.com'] })).toBe('address_forbidden');
    expect(await leadingTo('10.0.0.1', { allowHosts: ['*.api.example.com'] })).toBe('address_forbidden');
    expect(await leadingTo('10.0.0.1', { allowHosts: ['*.ample.com'] })).toBe('address_forbidden');
  });

  test('allows hosts by address, in any spelling', async () => {
    expect(await codeOf('https://127.0.0.1/', { allowHosts: ['127.0.0.1'] })).toBe('fine');
    expect(await codeOf('https://0x7f.1/', { allowHosts: ['127.0.0.1'] })).toBe('fine');
    expect(await codeOf('https://[::1]/', { allowHosts: ['::1'] })).toBe('fine');
    expect(await codeOf('https://[::1]/', { allowHosts: ['[0:0::1]'] })).toBe('fine');
    expect(await codeOf('https://127.0.0.2/', { allowHosts: ['127.0.0.1'] })).toBe('address_forbidden');
  });

  test('allows ranges, and only addresses of the same family within them', async () => {
    const policy = { allowCidrs: ['10.1.0.0/16', 'fd00::/8'] };
    expect(await leadingTo('10.1.2.3', policy)).toBe('fine');
    expect(await leadingTo('fd00::1', policy)).toBe('fine');
    expect(await leadingTo('10.2.0.0', policy)).toBe('address_forbidden');
    expect(await leadingTo('::ffff:10.1.2.3', policy)).toBe('address_forbidden');
    expect(await codeOf('https://10.1.2.3/', policy)).toBe('fine');
  });

  test('denies hosts by name and by address, even allowed ones', async () => {
    expect(await leadingTo(publicAddress, { denyHosts: ['*.example.com'] })).toBe('address_forbidden');
    expect(await leadingTo(publicAddress, { denyHosts: ['example.com'] })).toBe('fine');
    expect(await leadingTo(publicAddress, { denyHosts: [publicAddress] })).toBe('address_forbidden');
    const both = { denyHosts: ['api.example.com'], allowHosts: ['*.example.com'] };
    expect(await leadingTo(publicAddress, both)).toBe('address_forbidden');
    expect(await codeOf('https://api.example.com./', both)).toBe('address_forbidden');
  });

  test('denies ranges, even allowed ones', async () => {
    expect(await leadingTo(publicAddress, { denyCidrs: ['93.184.0.0/16'] })).toBe('address_forbidden');
    expect(await leadingTo(publicAddress, { denyCidrs: ['93.185.0.0/16'] })).toBe('fine');
    const both = { denyCidrs: ['10.1.0.0/16'], allowCidrs: ['10.0.0.0/8'] };
    expect(await leadingTo('10.1.0.1', both)).toBe('address_forbidden');
    expect(await leadingTo('10.2.0.1', both)).toBe('fine');
  });

  test('denies the addresses of an allowed host, and literal ones in any spelling', async () => {
    const allowed = { allowHosts: ['api.example.com', '169.254.169.254', '::ffff:169.254.169.254'] };
    for (const deny of [
      { denyCidrs: ['169.254.0.0/16', 'fe80::/10'] },
      { denyHosts: ['169.254.169.254', 'fe80::1'] },
      { denyCidrs: ['169.254.169.254', '::ffff:0:0/96', 'fe80::/10'] },
    ]) {
      const policy = { ...allowed, ...deny };
      for (const address of ['169.254.169.254', '::ffff:a9fe:a9fe', 'FE80:0::1', 'fe80::1%eth0']) {
        expect(await leadingTo(address, policy)).toBe('address_forbidden');
      }
      expect(await leadingTo('10.0.0.1', policy)).toBe('fine');
      expect(await codeOf('https://169.254.169.254/', policy)).toBe('address_forbidden');
      expect(await codeOf('https://[::ffff:169.254.169.254]/', policy)).toBe('address_forbidden');
    }
  });

  // Ports of the Fetch standard and of services exposed by mistake: mail, containers, databases, caches, brokers,
  // remote control.
  test.each([
    0, 1, 22, 25, 587, 6000, 6667, 10080, 1433, 1521, 2375, 2376, 2379, 3306, 3389, 5432, 5672, 5900, 6379,
    9042, 9092, 9200, 9300, 10250, 11211, 27017,
  ])('refuses the port %i of a public host unless the application lists it', async (port) => {
    const url = `https://example.com:${port}/`;
    for (const refused of [url, `https://${publicAddress}:${port}/`, url.replace('.com', '.com.')]) {
      const { code, message } = await errorOf(refused);
      expect(code).toBe('url_port');
      expect(message).toMatch(
        /^url must not use a port of .+; the host application allows others with policy\.ports$/,
      );
    }
    if (port !== 0) expect(await codeOf(url, { ports: [port] })).toBe('fine');
  });

  test.each([80, 443, 3000, 5000, 8000, 8080, 8443, 8888, 9000, 9090, 10000, 49152, 65535])(
    'accepts the port %i, where webhooks are received',
    async (port) => {
      expect(await codeOf(`https://example.com:${port}/`)).toBe('fine');
    },
  );

  test('accepts any port of an allowed host except those that browsers refuse', async () => {
    const policy = { allowHosts: ['search.corp.example', '127.0.0.1'] };
    for (const host of ['search.corp.example', '127.0.0.1']) {
      expect(await codeOf(`https://${host}:9200/`, policy)).toBe('fine');
      expect(await codeOf(`https://${host}:25/`, policy)).toBe('url_port');
    }
  });

  test('accepts only the ports it lists', async () => {
    const policy = { ports: [443, 25], allowHttp: true };
    expect(await codeOf('https://example.com/', policy)).toBe('fine');
    expect(await codeOf('https://example.com:25/', policy)).toBe('fine');
    expect(await codeOf('https://example.com:8443/', policy)).toBe('url_port');
    expect(await codeOf('http://example.com/', policy)).toBe('url_port');
  });

  test.each([
    ['allowHosts', ['*']],
    ['allowHosts', ['a b']],
    ['allowHosts', ['*.1.2.3.4']],
    ['allowHosts', ['[example.com]']],
    ['allowHosts', ['[1.2.3.4]']],
    ['allowHosts', ['https://example.com']],
    ['allowHosts', [`${'a.'.repeat(127)}a`]],
    ['allowHosts', 'example.com'],
    ['denyHosts', [null]],
    ['allowCidrs', ['10.0.0.1/8']],
    ['allowCidrs', [10]],
    ['denyCidrs', ['10.0.0.0/8/8']],
    ['ports', [0]],
    ['ports', ['443']],
    ['proxy', 'ftp://proxy.example'],
    ['proxy', 'http://proxy.example/path'],
    ['proxy', 3128],
    ['proxy', 'http://user:100%@proxy.example:3128'],
    ['proxy', 'http://%zz@proxy.example:3128'],
    ['proxy', 'http://%ff:canary@proxy.example:3128'],
    ['lookup', 'dns'],
    ['allowHttp', 'yes'],
    ['allowAll', true],
  ])('%s of %j is refused, by name', (field, value) => {
    expect(() => createOutbound({ policy: { [field]: value } as OutboundPolicy })).toThrow(
      expect.objectContaining({
        code: 'invalid_option',
        message: expect.stringMatching(new RegExp(`${field}(?!.*(100|canary))`)),
      }),
    );
  });
});

describe('at the moment of the connection', () => {
  const open = { allowHttp: true };

  test('the checked address is dialled, even if a second look-up would return another', async () => {
    const { url, sockets } = await receiver((socket) => socket.write(response(200)));
    const answers = [['127.0.0.1'], ['127.0.0.9']];
    const lookup: OutboundPolicy['lookup'] = (host, options, callback) =>
      answering(...answers.shift()!)(host, options, callback);
    const outbound = client({ policy: { ...open, lookup, allowCidrs: ['127.0.0.1'] } });
    const result = await outbound.request({ url: url.replace('127.0.0.1', 'rebound.example') });
    expect(result).toMatchObject({ ok: true, status: 200 });
    expect(sockets).toHaveLength(1);
    expect(answers).toHaveLength(1);
  });

  test('a name that resolved to a public address when it was checked is refused if it now resolves to a private one', async () => {
    const { url, sockets } = await receiver((socket) => socket.write(response(200)));
    const answers = [[publicAddress], ['127.0.0.1'], [publicAddress, '127.0.0.1']];
    const lookup: OutboundPolicy['lookup'] = (host, options, callback) =>
      answering(...answers.shift()!)(host, options, callback);
    const outbound = client({ policy: { ...open, lookup } });
    const rebound = url.replace('127.0.0.1', 'rebound.example');
    expect(await outbound.checkUrl(rebound)).toEqual([publicAddress]);
    for (const _ of ['private', 'mixed']) {
      expect(await outbound.request({ url: rebound })).toMatchObject({
        ok: false,
        kind: 'address_forbidden',
      });
    }
    expect(sockets).toEqual([]);
  });

  test.each(['http', 'https'])('a literal address is refused too, over %s', async (scheme) => {
    const { url, sockets } = await receiver((socket) => socket.write(response(200)));
    const result = await client({ policy: open }).request({ url: url.replace('http', scheme) });
    expect(result).toMatchObject({ ok: false, kind: 'address_forbidden' });
    expect(sockets).toEqual([]);
  });

  test('a look-up that never ends is a connect_timeout, and a late or repeated answer does no harm', async () => {
    const { url, sockets } = await receiver((socket) => socket.write(response(200)));
    const named = url.replace('127.0.0.1', 'slow.example');
    const hanging = client({ policy: { ...open, lookup: () => {} }, connectTimeoutMs: 30 });
    expect(await hanging.request({ url: named })).toMatchObject({ ok: false, kind: 'connect_timeout' });
    let answerLate = (): void => {};
    const late: OutboundPolicy['lookup'] = (...asked) => {
      answerLate = () => answering('127.0.0.1')(...asked);
    };
    const policy = { ...open, lookup: late, allowCidrs: ['127.0.0.1'] };
    const outbound = client({ policy, connectTimeoutMs: 30 });
    expect(await outbound.request({ url: named })).toMatchObject({ ok: false, kind: 'connect_timeout' });
    answerLate();
    const twice: OutboundPolicy['lookup'] = (...asked) => {
      for (let i = 0; i < 2; i++) answering('127.0.0.1')(...asked);
    };
    const result = await client({ policy: { ...policy, lookup: twice } }).request({ url: named });
    expect(result).toMatchObject({ ok: true, status: 200 });
    expect(sockets).toHaveLength(1);
  });

  test('an allowed host is not connected to if the policy denies its address', async () => {
    const { url, sockets } = await receiver((socket) => socket.write(response(200)));
    const policy = { ...open, denyCidrs: ['127.0.0.0/8'], lookup: answering('127.0.0.1') };
    for (const [host, name] of [
      ['127.0.0.1', '127.0.0.1'],
      ['a.example', 'a.example'],
    ]) {
      const outbound = client({ policy: { ...policy, allowHosts: [host!] } });
      expect(await outbound.request({ url: url.replace('127.0.0.1', name!) })).toMatchObject({
        ok: false,
        kind: 'address_forbidden',
      });
    }
    expect(sockets).toEqual([]);
  });

  const connected = ({ connect }: Guard, port: number, hostname: string): Promise<unknown> =>
    new Promise((resolve) => {
      const target = { hostname, host: `${hostname}:${port}`, protocol: 'http:', port: String(port) };
      connect(target, (...[error, socket]) => {
        socket?.destroy();
        resolve(error);
      });
    });

  test('literal addresses and names are checked even without an earlier call of check', async () => {
    const { port, sockets } = await receiver(() => {});
    const trust = createSecureContext();
    const guard = createGuard({ policy: policyOf(open), connectTimeoutMs: 1_000, trust });
    for (const hostname of ['127.0.0.1', '[::1]', '::1', 'localhost']) {
      expect(await connected(guard, port, hostname)).toMatchObject({ code: 'address_forbidden' });
    }
    expect(sockets).toEqual([]);
  });

  test.runIf(process.platform !== 'win32')(
    'a socket that the system connected elsewhere is closed before anything is sent',
    async () => {
      const { url, requests, open: openSockets } = await receiver((socket) => socket.write(response(200)));
      // Unix systems connect 0.0.0.0 to this machine.
      const policy = { ...open, lookup: answering('0.0.0.0'), allowCidrs: ['0.0.0.0'] };
      for (const given of [policy, { ...policy, allowHosts: ['a.example'], denyCidrs: ['127.0.0.0/8'] }]) {
        const result = await client({ policy: given }).request({
          url: url.replace('127.0.0.1', 'a.example'),
        });
        expect(result).toMatchObject({ ok: false, kind: 'address_forbidden' });
        await until(() => openSockets() === 0);
      }
      expect(requests).toEqual([]);
    },
  );

  test('an IPv6 literal is checked and reached like any other address', async () => {
    const { port } = await receiver((socket) => socket.write(response(200)), { host: '::1' });
    const url = `http://[::1]:${port}/hook`;
    expect(await client({ policy: open }).request({ url })).toMatchObject({ kind: 'address_forbidden' });
    for (const policy of [
      { ...open, allowHosts: ['::1'] },
      { ...open, allowCidrs: ['::1/128'] },
    ]) {
      expect(await client({ policy }).request({ url })).toMatchObject({ ok: true, status: 200 });
    }
  });
});
