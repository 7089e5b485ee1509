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

/** Opens the client's connection first: on a busy machine, connecting may take longer than a short deadline. */
async function connected(answer: Answer) {
  const { url, open } = await receiver((socket, request, number) =>
    number === 1 ? socket.write(response(200)) : answer(socket, request, number - 1),
  );
  const outbound = client({ connections: 1 });
  await outbound.request({ url });
  return { open, request: (timeoutMs: number) => outbound.request({ url, body: '{}', timeoutMs }) };
}

describe('a response that never comes', () => {
  test('ends at the deadline, and the connection is closed', async () => {
    const { request, open } = await connected(() => {});
    const result = await request(60);
    expect(result).toEqual({ ok: false, kind: 'timeout', message: 'no answer within 60 ms' });
    await until(() => open() === 0);
  });

  test('counts if it arrives before the deadline, not after it', async () => {
    const { request } = await connected((socket, _, number) =>
      answerAfter(socket, number === 1 ? 20 : 10_000, ok),
    );
    expect(await request(10_000)).toMatchObject({ ok: true, status: 200 });
    expect(await request(60)).toMatchObject({ ok: false, kind: 'timeout' });
  });

  test('ends at the deadline even if headers trickle in, since the deadline is not an idle timeout', async () => {
    const { request, open } = await connected((socket) =>
      trickle(socket, 'HTTP/1.1 200 OK\r\nx-slow: aaaaaaa'),
    );
    const result = await request(150);
    expect(result).toMatchObject({ ok: false, kind: 'timeout' });
    await until(() => open() === 0);
  });

  test('keeps its status if the body trickles in until the deadline', async () => {
    const { request, open } = await connected((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n');
      trickle(socket, 'abc');
    });
    const result = await request(150);
    expect(result).toMatchObject({ ok: true, status: 200, bodyComplete: false, bodyTruncated: false });
    expect(result).toHaveProperty('body', expect.stringMatching(/^abc/));
    await until(() => open() === 0);
  });

  test('ends at the deadline for two hundred slow receivers at once, each with its own kind', async () => {
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
    // The deadline leaves enough time for the good half.
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
  test('a port without a listener is reported as refused', async () => {
    const result = await client().request({ url: `http://127.0.0.1:${await freePort()}/secret-path` });
    expect(result).toEqual({
      ok: false,
      kind: 'refused',
      message: 'the connection was refused (ECONNREFUSED)',
    });
  });

  test('a name that cannot exist is reported as dns', async () => {
    const result = await client().request({ url: `http://${'a'.repeat(64)}.invalid/` });
    expect(result).toMatchObject({ ok: false, kind: 'dns' });
  });

  const after: Record<string, Answer> = {
    'a body shorter than announced': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'),
    'a reset within the body': (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', () => socket.resetAndDestroy());
    },
    'a reset within a body that lasts until the connection ends': (socket) => {
      socket.write('HTTP/1.0 200 OK\r\n\r\nhalf');
      resetAfter(socket, 50);
    },
    'chunks without an end': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'),
    'a bad chunk': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'),
  };
  test.each(Object.entries(after))('%s keeps the status and an incomplete body', async (_, answer) => {
    const { url } = await receiver(answer);
    expect(await client().request({ url })).toMatchObject({ ok: true, status: 200, bodyComplete: false });
  });

  test('a short body with status 500 is reported as a 500', async () => {
    const { url } = await receiver((socket) => socket.end('HTTP/1.1 500 X\r\ncontent-length: 9\r\n\r\nno'));
    const result = await client().request({ url });
    expect(result).toMatchObject({ ok: true, status: 500, body: 'no', bodyComplete: false });
  });

  test('an early 400 while the request body is in flight is reported as a 400', async () => {
    const { url } = await receiver(() => {}, {
      onConnection: (socket) => socket.write(response(400, 'too much', 'connection: close\r\n')),
    });
    const result = await client().request({ url, body: 'x'.repeat(5_000_000) });
    expect(result).toMatchObject({ ok: true, status: 400 });
  });
});

describe('an unusual response', () => {
  test.each(['100 Continue', '103 Early Hints'])('fails after ten of endless %s', async (status) => {
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
  ])('is accepted after ten of %j, for a single request', async (interim) => {
    const { url, requests } = await receiver((socket) => socket.write(`${interim.repeat(10)}${ok}`));
    const outbound = client();
    for (const number of [1, 2]) {
      const result = await outbound.request({ url, body: '{}' });
      expect(result).toMatchObject({ ok: true, status: 200, body: 'fine', bodyComplete: true });
      expect(result).not.toHaveProperty('headers.link');
      expect(requests).toHaveLength(number);
    }
  });

  test('is unchanged if it contains the text of a 100, however it is split into chunks', async () => {
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
    'ends at the deadline if it is a %s and nothing else',
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
  ])('fails at once if it is an unsolicited %j', async (text) => {
    const { url, open } = await receiver((socket) => socket.write(text));
    const result = await client().request({ url, body: '{}' });
    expect(result).toMatchObject({ ok: false, kind: 'protocol' });
    await until(() => open() === 0);
  });

  test('is a 204 if a 204 has a body, and its connection is not used again', async () => {
    const { url, sockets } = await receiver((socket) =>
      socket.write('HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 299 Poison\r\ncontent-length: 0\r\n\r\n'),
    );
    const outbound = client();
    expect(await outbound.request({ url })).toMatchObject({ ok: true, status: 204, body: '' });
    expect(await outbound.request({ url })).toMatchObject({ ok: true, status: 204, body: '' });
    expect(sockets).toHaveLength(2);
  });

  test.each([301, 302, 303, 307, 308])('is not followed if it is a %i', async (status) => {
    const { url, requests } = await receiver((socket) =>
      socket.write(response(status, '', `location: ${url}/again\r\n`)),
    );
    expect(await client().request({ url })).toMatchObject({ ok: true, status });
    expect(requests).toHaveLength(1);
  });

  test('does not affect the next request by cookies, Alt-Svc, HSTS or NTLM challenges', async () => {
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

  test('pollutes no prototype by a header named __proto__', async () => {
    const { url } = await receiver((socket) =>
      socket.write(response(200, '', '__proto__: x\r\n__proto__: y\r\nconstructor: z\r\n')),
    );
    expect(await client().request({ url })).toMatchObject({ ok: true, status: 200 });
    expect({}).not.toHaveProperty('x');
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });
});

describe('an oversized response', () => {
  test('is too_large with headers over the limit', async () => {
    const { url, open } = await receiver((socket) =>
      socket.write(response(200, '', `x-big: ${'a'.repeat(20_000)}\r\n`)),
    );
    expect(await client().request({ url })).toMatchObject({ ok: false, kind: 'too_large' });
    await until(() => open() === 0);
  });

  test('is too_large with endless headers', async () => {
    const { url, open } = await receiver((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      flood(socket, 'x-more: and more\r\n');
    });
    expect(await client().request({ url })).toMatchObject({ ok: false, kind: 'too_large' });
    await until(() => open() === 0);
  });

  test('is accepted with many headers under the limit', async () => {
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
  ])('keeps its status with an endless body %s, which is cut', async (_, head, part) => {
    const { url, open } = await receiver((socket) => {
      socket.write(head);
      flood(socket, part);
    });
    const result = await client().request({ url, timeoutMs: 60_000 });
    expect(result).toMatchObject({ ok: true, status: 200, bodyTruncated: true, bodyComplete: false });
    expect(result).toHaveProperty('body', 'a'.repeat(16_384));
    await until(() => open() === 0);
  });

  test('is cut after 200 KB at once on a connection that closes', async () => {
    const { url, open } = await receiver((socket) =>
      socket.end(response(200, 'a'.repeat(200_000), 'connection: close\r\n')),
    );
    const result = await client().request({ url });
    expect(result).toMatchObject({ ok: true, status: 200, bodyTruncated: true, bodyComplete: false });
    await until(() => open() === 0);
  });

  test('is read beyond the usual cap if maxBodyBytes is larger', async () => {
    const { url } = await receiver((socket) => socket.write(response(200, 'a'.repeat(200_000))));
    const result = await client({ maxBodyBytes: 200_000 }).request({ url });
    expect(result).toMatchObject({ bodyTruncated: false, bodyComplete: true });
    expect(result).toHaveProperty('body.length', 200_000);
  });

  test('is read to its end if the body is below the cap, and its connection is used again', async () => {
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
  test.each(endless)('is cut long before the deadline with endless %s', async (_, head, part, expected) => {
    const { url, open, sockets } = await receiver((socket) => {
      socket.write(head);
      flood(socket, part.repeat(10_000));
    });
    expect(await client().request({ url, timeoutMs: 60_000 })).toMatchObject(expected);
    await until(() => open() === 0);
    // Buffers of the operating system on both sides add to the bytes read.
    expect(sockets[0]!.bytesWritten).toBeLessThan(20_000_000);
  });

  test('is accepted if it reaches all limits at once', async () => {
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

  test('closes an idle connection on which endless empty lines arrive', async () => {
    const { url, sockets, open } = await receiver((socket) => socket.write(ok));
    const outbound = client();
    await outbound.request({ url });
    flood(sockets[0]!, '\r\n'.repeat(10_000));
    await until(() => open() === 0);
    expect(await outbound.request({ url })).toMatchObject({ status: 200 });
  });

  test.each(['gzip', 'br', Array(1_000).fill('gzip').join(', ')])('is not decoded: %.20s', async (coding) => {
    const { url, requests } = await receiver((socket) =>
      socket.write(response(200, 'not compressed', `content-encoding: ${coding}\r\n`)),
    );
    expect(await client().request({ url })).toMatchObject({ ok: true, body: 'not compressed' });
    expect(requests[0]).not.toMatch(/accept-encoding/i);
  });

  test('is kept as received, up to the limit, if it is a compression bomb', async () => {
    const { url, close } = await hostileReceiver('gzip-bomb', { tls: false });
    onTestFinished(close);
    const result = await client().request({ url });
    expect(result).toMatchObject({ ok: true, status: 200, bodyTruncated: true, bodyComplete: true });
    // The gzip magic number (RFC 1952 §2.3.1); its second byte is not valid UTF-8.
    expect(result).toHaveProperty('body', expect.stringContaining('\u001f\ufffd\b'));
    expect(result).toHaveProperty('body.length', 16_384);
  });
});

describe('an unsolicited response on an idle connection', () => {
  const poison = response(299, 'poison');
  const answer: Answer = (socket) => socket.write(ok);

  test('right after a response does not reach the next request', async () => {
    const { url } = await receiver((socket) => socket.write(ok + poison));
    const outbound = client({ connections: 1 });
    expect(await outbound.request({ url })).toMatchObject({ status: 200, body: 'fine' });
    expect(await outbound.request({ url })).toMatchObject({ status: 200, body: 'fine' });
  });

  test('closes the connection', async () => {
    const { url, sockets, open } = await receiver(answer);
    const outbound = client({ connections: 1 });
    await outbound.request({ url });
    sockets[0]!.write(poison);
    await until(() => open() === 0);
    expect(await outbound.request({ url })).toMatchObject({ status: 200, body: 'fine' });
    expect(sockets).toHaveLength(2);
  });

  test('together with the next request does not reach it', async () => {
    const { url, sockets } = await receiver(answer);
    const outbound = client({ connections: 1 });
    await outbound.request({ url });
    await new Promise<void>((resolve) => sockets[0]!.write(poison, () => resolve()));
    expect(await outbound.request({ url })).toMatchObject({ status: 200, body: 'fine' });
  });

  test('is not awaited on a connection that the receiver closed while idle', async () => {
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

  test('a character split by the limit is dropped', async () => {
    const { url } = await receiver((socket) => socket.write(response(200, `a${'日'.repeat(20)}`)));
    expect(await client({ maxBodyBytes: 6 }).request({ url })).toHaveProperty('body', 'a日');
  });
});
