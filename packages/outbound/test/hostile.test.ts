import { until } from '@posthorn/testing';
import { hostileReceiver } from '@posthorn/testing/hostile-receiver';
import { describe, expect, onTestFinished, test } from 'vitest';
import { client, overdue } from './client.js';
import {
  type Answer,
  answerAfter,
  flood,
  freePort,
  receiver,
  resetAfter,
  response,
  trickle,
} from './receiver.js';

const ok = response(200, 'fine');

/** Of a client whose one connection stands: to make it may take a busy machine longer than a short deadline. */
async function connected(answer: Answer) {
  const { url, open } = await receiver((socket, request, number) =>
    number === 1 ? socket.write(response(200)) : answer(socket, request, number - 1),
  );
  const outbound = client({ connections: 1 });
  await outbound.request({ url });
  return { open, request: (timeoutMs: number) => outbound.request({ url, body: '{}', timeoutMs }) };
}

describe('answers that never come', () => {
  test('silence ends at the deadline, and the connection is closed', async () => {
    const { request, open } = await connected(() => {});
    const result = await request(60);
    expect(result).toEqual({ ok: false, kind: 'timeout', message: 'no answer within 60 ms' });
    await until(() => open() === 0);
  });

  test('an answer before the deadline counts, one after it does not', async () => {
    const { request } = await connected((socket, _, number) =>
      answerAfter(socket, number === 1 ? 20 : 10_000, ok),
    );
    expect(await request(10_000)).toMatchObject({ ok: true, status: 200 });
    expect(await request(60)).toMatchObject({ ok: false, kind: 'timeout' });
  });

  test('headers that trickle in end at the deadline: it is not an idle timeout', async () => {
    const { request, open } = await connected((socket) =>
      trickle(socket, 'HTTP/1.1 200 OK\r\nx-slow: aaaaaaa'),
    );
    const result = await request(150);
    expect(result).toMatchObject({ ok: false, kind: 'timeout' });
    await until(() => open() === 0);
  });

  test('a body that trickles in ends at the deadline, and the status stands', async () => {
    const { request, open } = await connected((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n');
      trickle(socket, 'abc');
    });
    const result = await request(150);
    expect(result).toMatchObject({ ok: true, status: 200, bodyComplete: false, bodyTruncated: false });
    expect(result).toHaveProperty('body', expect.stringMatching(/^abc/));
    await until(() => open() === 0);
  });

  test('two hundred slow receivers end at the deadline together, each by its own kind', async () => {
    const { url, open } = await receiver((socket, request) => {
      if (request.startsWith('DELETE')) return socket.write(response(200));
      if (request.startsWith('PUT')) socket.write('HTTP/1.1 200 OK\r\n\r\n');
      return trickle(socket, 'HTTP/1.1 200 OK\r\nx: ', 50);
    });
    const outbound = client({ connections: 200 });
    const all = (methodOf: (i: number) => string, timeoutMs: number) =>
      Promise.all(
        Array.from({ length: 200 }, (_, i) => outbound.request({ url, method: methodOf(i), timeoutMs })),
      );
    // The deadline leaves the good half the time that this machine takes, and more.
    const started = performance.now();
    await all(() => 'DELETE', 60_000);
    const timeoutMs = 500 + 4 * Math.round(performance.now() - started);
    const overdueMs = overdue(timeoutMs);
    const results = await all((i) => (i % 2 ? 'PUT' : 'POST'), timeoutMs);
    expect(overdueMs()).toBeLessThan(1_500);
    expect(results.filter(({ ok }) => ok)).toHaveLength(100);
    expect(results.filter((result) => !result.ok && result.kind === 'timeout')).toHaveLength(100);
    await until(() => open() === 0);
  });
});

describe('connections that break', () => {
  test('nobody listens: refused', async () => {
    const result = await client().request({ url: `http://127.0.0.1:${await freePort()}/secret-path` });
    expect(result).toEqual({
      ok: false,
      kind: 'refused',
      message: 'the connection was refused (ECONNREFUSED)',
    });
  });

  test('a name that cannot exist: dns', async () => {
    const result = await client().request({ url: `http://${'a'.repeat(64)}.invalid/` });
    expect(result).toMatchObject({ ok: false, kind: 'dns' });
  });

  const after: Record<string, Answer> = {
    'a body shorter than announced': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'),
    'a reset within the body': (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', () => socket.resetAndDestroy());
    },
    'a reset within a body that goes on until the end': (socket) => {
      socket.write('HTTP/1.0 200 OK\r\n\r\nhalf');
      resetAfter(socket, 50);
    },
    'chunks without an end': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'),
    'a bad chunk': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'),
  };
  test.each(Object.entries(after))('%s: the status stands, the body is not complete', async (_, answer) => {
    const { url } = await receiver(answer);
    expect(await client().request({ url })).toMatchObject({ ok: true, status: 200, bodyComplete: false });
  });

  test('the same with 500 is a 500', async () => {
    const { url } = await receiver((socket) => socket.end('HTTP/1.1 500 X\r\ncontent-length: 9\r\n\r\nno'));
    const result = await client().request({ url });
    expect(result).toMatchObject({ ok: true, status: 500, body: 'no', bodyComplete: false });
  });

  test('an early 400 while the body is still on its way is a 400', async () => {
    const { url } = await receiver(() => {}, {
      onConnection: (socket) => socket.write(response(400, 'too much', 'connection: close\r\n')),
    });
    const result = await client().request({ url, body: 'x'.repeat(5_000_000) });
    expect(result).toMatchObject({ ok: true, status: 400 });
  });
});

describe('answers that are not what was asked for', () => {
  test.each(['100 Continue', '103 Early Hints'])('endless %s fail after ten', async (status) => {
    const { url, open } = await receiver((socket) => flood(socket, `HTTP/1.1 ${status}\r\n\r\n`));
    const result = await client().request({ url });
    expect(result).toMatchObject({ ok: false, kind: 'protocol' });
    await until(() => open() === 0);
  });

  test.each([
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 100 X\r\nlink: </x>\r\n\r\n',
    'HTTP/1.1 102 Processing\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n',
    'HTTP/1.1 199 X\r\nlink: </x>\r\n\r\n',
  ])('ten of %j and an answer are an answer, which was asked for once', async (interim) => {
    const { url, requests } = await receiver((socket) => socket.write(`${interim.repeat(10)}${ok}`));
    const outbound = client();
    for (const number of [1, 2]) {
      const result = await outbound.request({ url, body: '{}' });
      expect(result).toMatchObject({ ok: true, status: 200, body: 'fine', bodyComplete: true });
      expect(result).not.toHaveProperty('headers.link');
      expect(requests).toHaveLength(number);
    }
  });

  test('what says 100 in an answer is left as it is, wherever the receiver cuts what it sends', async () => {
    const body = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n';
    const interim = 'HTTP/1.1 100 Continue\r\nx-status: HTTP/1.1 100\r\n\r\n';
    const text = `${interim}HTTP/1.1 103 X\r\n\r\n${interim}${response(200, body, 'x-a: HTTP/1.1 100\r\n')}`;
    const { url } = await receiver((socket) => {
      let sent = 0;
      const send = (): void => {
        if (sent < text.length) socket.write(text[sent++]!, () => setImmediate(send));
      };
      socket.setNoDelay(true);
      send();
    });
    expect(await client().request({ url })).toMatchObject({
      ok: true,
      status: 200,
      headers: { 'x-a': 'HTTP/1.1 100' },
      body,
      bodyComplete: true,
    });
  });

  test.each(['100 Continue', '102 Processing'])(
    'a %s, and then nothing, ends at the deadline',
    async (status) => {
      const { url, open } = await receiver((socket) => socket.write(`HTTP/1.1 ${status}\r\n\r\n`));
      const result = await client().request({ url, timeoutMs: 60 });
      expect(result).toMatchObject({ ok: false, kind: 'timeout' });
      await until(() => open() === 0);
    },
  );

  test.each([
    'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  ])('%j, which nobody asked for, fails at once', async (text) => {
    const { url, open } = await receiver((socket) => socket.write(text));
    const result = await client().request({ url, body: '{}' });
    expect(result).toMatchObject({ ok: false, kind: 'protocol' });
    await until(() => open() === 0);
  });

  test('a 204 with a body is a 204, and its connection is not used again', async () => {
    const { url, sockets } = await receiver((socket) =>
      socket.write('HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 299 Poison\r\ncontent-length: 0\r\n\r\n'),
    );
    const outbound = client();
    expect(await outbound.request({ url })).toMatchObject({ ok: true, status: 204, body: '' });
    expect(await outbound.request({ url })).toMatchObject({ ok: true, status: 204, body: '' });
    expect(sockets).toHaveLength(2);
  });

  test.each([301, 302, 303, 307, 308])('a %i is an answer, and no second request is made', async (status) => {
    const { url, requests } = await receiver((socket) =>
      socket.write(response(status, '', `location: ${url}/again\r\n`)),
    );
    expect(await client().request({ url })).toMatchObject({ ok: true, status });
    expect(requests).toHaveLength(1);
  });

  test('cookies, Alt-Svc, HSTS and NTLM challenges change nothing about the next request', async () => {
    const { url, requests } = await receiver((socket) =>
      socket.write(
        response(
          401,
          '',
          'set-cookie: a=1\r\nset-cookie: b=2\r\nalt-svc: h3=":443"\r\n' +
            'strict-transport-security: max-age=1\r\nwww-authenticate: NTLM\r\n',
        ),
      ),
    );
    const outbound = client();
    const result = await outbound.request({ url, body: 'x' });
    expect(result).toMatchObject({ status: 401, headers: { 'set-cookie': ['a=1', 'b=2'] } });
    await outbound.request({ url, body: 'x' });
    expect(requests[1]).toBe(requests[0]);
  });

  test('a header named __proto__ pollutes nothing', async () => {
    const { url } = await receiver((socket) =>
      socket.write(response(200, '', '__proto__: x\r\n__proto__: y\r\nconstructor: z\r\n')),
    );
    expect(await client().request({ url })).toMatchObject({ ok: true, status: 200 });
    expect({}).not.toHaveProperty('x');
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });
});

describe('answers that are too much', () => {
  test('headers over the limit: too_large', async () => {
    const { url, open } = await receiver((socket) =>
      socket.write(response(200, '', `x-big: ${'a'.repeat(20_000)}\r\n`)),
    );
    expect(await client().request({ url })).toMatchObject({ ok: false, kind: 'too_large' });
    await until(() => open() === 0);
  });

  test('endless headers: too_large', async () => {
    const { url, open } = await receiver((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      flood(socket, 'x-more: and more\r\n');
    });
    expect(await client().request({ url })).toMatchObject({ ok: false, kind: 'too_large' });
    await until(() => open() === 0);
  });

  test('many headers under the limit are an answer', async () => {
    const { url } = await receiver((socket) => socket.write(response(200, '', 'x: y\r\n'.repeat(2_000))));
    expect(await client().request({ url })).toMatchObject({ ok: true, status: 200 });
  });

  test.each([
    ['with a length', 'HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n', 'a'.repeat(10_000)],
    [
      'in chunks',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n',
      `2710\r\n${'a'.repeat(10_000)}\r\n`,
    ],
    ['until the end', 'HTTP/1.0 200 OK\r\n\r\n', 'a'.repeat(10_000)],
  ])('an endless body %s is cut, and the status stands', async (_, head, part) => {
    const { url, open } = await receiver((socket) => {
      socket.write(head);
      flood(socket, part);
    });
    const result = await client().request({ url, timeoutMs: 60_000 });
    expect(result).toMatchObject({ ok: true, status: 200, bodyTruncated: true, bodyComplete: false });
    expect(result).toHaveProperty('body', 'a'.repeat(16_384));
    await until(() => open() === 0);
  });

  test('200 KB at once with a connection that closes is cut as well', async () => {
    const { url, open } = await receiver((socket) =>
      socket.end(response(200, 'a'.repeat(200_000), 'connection: close\r\n')),
    );
    const result = await client().request({ url });
    expect(result).toMatchObject({ ok: true, status: 200, bodyTruncated: true, bodyComplete: false });
    await until(() => open() === 0);
  });

  test('a body is read as far as it is to be kept, where that is more than the cap', async () => {
    const { url } = await receiver((socket) => socket.write(response(200, 'a'.repeat(200_000))));
    const result = await client({ maxBodyBytes: 200_000 }).request({ url });
    expect(result).toMatchObject({ bodyTruncated: false, bodyComplete: true });
    expect(result).toHaveProperty('body.length', 200_000);
  });

  test('a body between the kept part and the cap is read to its end, and its connection is used again', async () => {
    const { url, sockets } = await receiver((socket) => socket.write(response(200, 'a'.repeat(60_000))));
    const outbound = client();
    const result = await outbound.request({ url });
    expect(result).toMatchObject({ bodyTruncated: true, bodyComplete: true });
    expect(result).toHaveProperty('body.length', 16_384);
    await outbound.request({ url });
    expect(sockets).toHaveLength(1);
  });

  const endless: [string, string, string, object][] = [
    [
      'chunk extension',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4;',
      'x',
      { ok: true, status: 200, body: '', bodyComplete: false },
    ],
    ['empty lines before the status', '', '\r\n', { ok: false, kind: 'too_large' }],
    ['reason phrase', 'HTTP/1.1 200 ', 'x', { ok: false, kind: 'too_large' }],
  ];
  test.each(endless)('endless %s: cut long before the deadline', async (_, head, part, expected) => {
    const { url, open, sockets } = await receiver((socket) => {
      socket.write(head);
      flood(socket, part.repeat(10_000));
    });
    expect(await client().request({ url, timeoutMs: 60_000 })).toMatchObject(expected);
    await until(() => open() === 0);
    // What the operating system buffers on both sides comes on top of what is read.
    expect(sockets[0]!.bytesWritten).toBeLessThan(20_000_000);
  });

  test('all limits reached at once are still an answer', async () => {
    const hint = `HTTP/1.1 103 Early Hints\r\nlink: ${'x'.repeat(16_000)}\r\n\r\n`;
    const { url, sockets } = await receiver((socket) =>
      socket.write(hint.repeat(10) + response(200, 'a'.repeat(65_536), `x-big: ${'b'.repeat(16_000)}\r\n`)),
    );
    const outbound = client();
    for (let i = 0; i < 3; i++) {
      expect(await outbound.request({ url })).toMatchObject({ status: 200, bodyComplete: true });
    }
    expect(sockets).toHaveLength(1);
  });

  test('endless empty lines on an idle connection: it is closed', async () => {
    const { url, sockets, open } = await receiver((socket) => socket.write(ok));
    const outbound = client();
    await outbound.request({ url });
    flood(sockets[0]!, '\r\n'.repeat(10_000));
    await until(() => open() === 0);
    expect(await outbound.request({ url })).toMatchObject({ status: 200 });
  });

  test.each(['gzip', 'br', Array(1_000).fill('gzip').join(', ')])('%.20s is not decoded', async (coding) => {
    const { url, requests } = await receiver((socket) =>
      socket.write(response(200, 'not compressed', `content-encoding: ${coding}\r\n`)),
    );
    expect(await client().request({ url })).toMatchObject({ ok: true, body: 'not compressed' });
    expect(requests[0]).not.toMatch(/accept-encoding/i);
  });

  test('a compressed bomb is kept as it came, up to the limit, and nothing of it is inflated', async () => {
    const { url, close } = await hostileReceiver('gzip-bomb', { tls: false });
    onTestFinished(close);
    const result = await client().request({ url });
    expect(result).toMatchObject({ ok: true, status: 200, bodyTruncated: true, bodyComplete: true });
    // The mark of gzip (RFC 1952 §2.3.1), whose second byte is no UTF-8.
    expect(result).toHaveProperty('body', expect.stringContaining('\u001f\ufffd\b'));
    expect(result).toHaveProperty('body.length', 16_384);
  });
});

describe('answers nobody asked for, on an idle connection', () => {
  const poison = response(299, 'poison');
  const answer: Answer = (socket) => socket.write(ok);

  test('right behind the answer: the next request does not get it', async () => {
    const { url } = await receiver((socket) => socket.write(ok + poison));
    const outbound = client({ connections: 1 });
    expect(await outbound.request({ url })).toMatchObject({ status: 200, body: 'fine' });
    expect(await outbound.request({ url })).toMatchObject({ status: 200, body: 'fine' });
  });

  test('later: the connection is closed', async () => {
    const { url, sockets, open } = await receiver(answer);
    const outbound = client({ connections: 1 });
    await outbound.request({ url });
    sockets[0]!.write(poison);
    await until(() => open() === 0);
    expect(await outbound.request({ url })).toMatchObject({ status: 200, body: 'fine' });
    expect(sockets).toHaveLength(2);
  });

  test('together with the next request: it still does not get it', async () => {
    const { url, sockets } = await receiver(answer);
    const outbound = client({ connections: 1 });
    await outbound.request({ url });
    await new Promise<void>((resolve) => sockets[0]!.write(poison, () => resolve()));
    expect(await outbound.request({ url })).toMatchObject({ status: 200, body: 'fine' });
  });

  test('a connection the receiver closed while idle is not used again', async () => {
    const { url, sockets } = await receiver(answer);
    const outbound = client({ connections: 1 });
    for (let i = 0; i < 20; i++) {
      expect(await outbound.request({ url })).toMatchObject({ status: 200 });
      await new Promise<void>((resolve) => sockets[i]!.end(resolve));
    }
  });
});

describe('text', () => {
  test.each([
    ['what is not UTF-8', Buffer.from([0x61, 0xff, 0xfe, 0x62]), 'a\uFFFD\uFFFDb'],
    ['NUL, which no database takes', Buffer.from('a\0b'), 'a\uFFFDb'],
    [
      'control characters and bidi marks',
      Buffer.from('\u001b[31m\r\n\u202e<script>'),
      '\u001b[31m\r\n\u202e<script>',
    ],
  ])('%s', async (_, bytes, text) => {
    const { url } = await receiver((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\n\r\n`);
      socket.write(bytes);
    });
    expect(await client().request({ url })).toHaveProperty('body', text);
  });

  test('a character cut through by the limit is dropped', async () => {
    const { url } = await receiver((socket) => socket.write(response(200, `a${'日'.repeat(20)}`)));
    expect(await client({ maxBodyBytes: 6 }).request({ url })).toHaveProperty('body', 'a日');
  });
});
