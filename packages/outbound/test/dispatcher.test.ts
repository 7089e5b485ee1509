import { until } from '@posthorn/testing';
import { request, fetch as undiciFetch } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type GuardedDispatcherOptions, guardedDispatcher } from '../src/index.js';
import { answering } from './names.js';
import { receiver, response } from './receiver.js';

function guarded(options: GuardedDispatcherOptions = {}) {
  const dispatcher = guardedDispatcher({ policy: { allowHttp: true }, ...options });
  onTestFinished(() => dispatcher.destroy());
  return dispatcher;
}

const forbidden = expect.objectContaining({ code: 'address_forbidden' });

describe.each([
  ["undici's fetch", undiciFetch as unknown as typeof fetch],
  ["Node's fetch", fetch],
])('%s', (_, send) => {
  const get = (url: string, dispatcher: unknown) => send(url, { dispatcher } as RequestInit);

  test('reaches what the policy allows', async () => {
    const { url } = await receiver((socket) => socket.write(response(200, 'hello')));
    const policy = { allowHttp: true, allowHosts: ['127.0.0.1'] };
    const answer = await get(url, guarded({ policy }));
    expect(await answer.text()).toBe('hello');
  });

  test('refuses a private address, literal or behind a name', async () => {
    const { url, sockets } = await receiver((socket) => socket.write(response(200)));
    const lookup = answering('127.0.0.1');
    await expect(get(url, guarded())).rejects.toMatchObject({ cause: forbidden });
    const byName = guarded({ policy: { allowHttp: true, lookup } });
    await expect(get(url.replace('127.0.0.1', 'example.com'), byName)).rejects.toMatchObject({
      cause: forbidden,
    });
    expect(sockets).toEqual([]);
  });

  test('follows no redirect to a private address', async () => {
    const inner = await receiver((socket) => socket.write(response(200)));
    const { url } = await receiver((socket) =>
      socket.write(response(302, '', `location: ${inner.url.replace('127.0.0.1', '127.0.0.2')}\r\n`)),
    );
    const policy = { allowHttp: true, allowHosts: ['127.0.0.1'] };
    await expect(get(url, guarded({ policy }))).rejects.toMatchObject({ cause: forbidden });
    expect(inner.sockets).toEqual([]);
  });

  test('ignores an unsolicited 100', async () => {
    const { url } = await receiver((socket) =>
      socket.write(`HTTP/1.1 100 Continue\r\n\r\n${response(200, 'HTTP/1.1 100')}`),
    );
    const dispatcher = guarded({ policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } });
    for (let i = 0; i < 2; i++) expect(await (await get(url, dispatcher)).text()).toBe('HTTP/1.1 100');
  });

  test('removes a trailing dot of a name', async () => {
    const { url, requests } = await receiver((socket) => socket.write(response(200)));
    const policy = { allowHttp: true, allowCidrs: ['127.0.0.1'], lookup: answering('127.0.0.1') };
    const dispatcher = guarded({ policy });
    for (const host of ['example.com.', 'example.com']) {
      await (await get(url.replace('127.0.0.1', host), dispatcher)).text();
    }
    expect(requests.every((request) => /\r\nhost: example\.com:\d+\r\n/.test(request))).toBe(true);
    expect(requests).toHaveLength(2);
  });

  test('accepts https only unless the policy allows http', async () => {
    await expect(get('http://example.com/', guarded({ policy: {} }))).rejects.toMatchObject({
      cause: expect.objectContaining({ code: 'url_scheme' }),
    });
  });
});

test.each(['timeoutMs', 'maxBodyBytes', 'maxInformational', 'maxOrigins', 'conections'])(
  '%s, which would have no effect, is refused',
  (name) => {
    expect(() => guardedDispatcher({ [name]: 1 })).toThrow(
      expect.objectContaining({
        code: 'invalid_option',
        message: expect.stringContaining(`unknown option ${name} of guardedDispatcher: use policy, `),
      }),
    );
  },
);

test("undici's request obeys the guard too", async () => {
  const { url, sockets } = await receiver((socket) => socket.write(response(200)));
  await expect(request(url, { dispatcher: guarded() })).rejects.toEqual(forbidden);
  expect(sockets).toEqual([]);
});

test.each([
  ['are kept to any number of origins', {}, 1],
  ['are closed after being idle for keepAliveMs', { keepAliveMs: 20 }, 0],
])('connections %s', async (_, options, kept) => {
  const policy = { allowHttp: true, allowHosts: ['127.0.0.1'] };
  const dispatcher = guarded({ policy, ...options });
  const receivers = await Promise.all(
    Array.from({ length: 5 }, () => receiver((socket) => socket.write(response(200)))),
  );
  for (const { url } of receivers) await (await request(url, { dispatcher, method: 'POST' })).body.dump();
  await until(() => receivers.every(({ open }) => open() === kept), { timeoutMs: 5_000 });
});

test('a connection that is too old is replaced, even if it is busy', async () => {
  const { url, sockets, open } = await receiver((socket) => socket.write(response(200)));
  const policy = { allowHttp: true, allowHosts: ['127.0.0.1'] };
  const dispatcher = guarded({ policy, maxConnectionAgeMs: 50 });
  await until(async () => {
    await (await request(url, { dispatcher, method: 'POST' })).body.dump();
    return sockets.length > 2;
  });
  await until(() => open() === 1);
});
