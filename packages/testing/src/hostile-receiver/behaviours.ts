import type { Socket } from 'node:net';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { gzipSync } from 'node:zlib';
import type { FailureKind } from '@posthorn/core';
import { certificate } from './certificate.js';
import { type Answer, flood, reset, resetAfter, response, trickle } from './raw-receiver.js';

/*
 * What a receiver may do to its sender, by name. Each says how a request has to end: by its status where complete
 * headers came, whatever became of the body; else as a failure of its kind.
 */

export interface Behaviour {
  /** What the receiver does. */
  readonly does: string;
  /** The status a sender has to see, or the kind of failure, one of these. */
  readonly ends: number | readonly FailureKind[];
  readonly answer: Answer;
  readonly onConnection?: (socket: Socket) => void;
  /** `always`: there is no such thing over plain HTTP; `raw`: the address says `https:`, the receiver knows no TLS. */
  readonly tls?: 'always' | 'raw';
  /** In place of a good certificate. */
  readonly server?: () => TlsOptions;
}

const host = '127.0.0.1';

/** Signs the certificates that are right; a client that is to trust them has to be given this one. */
export const hostileAuthority = certificate({ name: 'Hostile Receiver Authority' });
export const goodCertificate = certificate({ name: host, issuer: hostileAuthority, ips: [host] });

const nothing: Answer = () => {};
const write =
  (text: string): Answer =>
  (socket) =>
    void socket.write(text, 'latin1');
const end =
  (text: string): Answer =>
  (socket) =>
    void socket.end(text, 'latin1');
const floodAfter =
  (head: string, part: string): Answer =>
  (socket) => {
    socket.write(head);
    flood(socket, part);
  };
/** With bytes that stay what they are. */
const writeBody =
  (body: Buffer, headers = ''): Answer =>
  (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${headers}content-length: ${body.length}\r\n\r\n`);
    socket.write(body);
  };

const kilobytes = 'a'.repeat(10_000);

/** 50 KB that become 50 MB: fifty members in a row (RFC 1952 §2.2), made in a moment. */
const gzipBomb = Buffer.concat(Array<Buffer>(50).fill(gzipSync(Buffer.alloc(1_000_000))));

const slow = {
  silent: { does: 'never answers', ends: ['timeout'], answer: nothing },
  'slow-headers': {
    does: 'sends its headers a byte at a time, without end',
    ends: ['timeout'],
    answer: (socket) => trickle(socket, 'HTTP/1.1 200 OK\r\nx-slow: aaaaaaa', 20),
  },
  'slow-body': {
    does: 'sends its body a byte at a time',
    ends: 200,
    answer: (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n');
      trickle(socket, 'abc', 20);
    },
  },
  'hanging-body': {
    does: 'sends its headers and never the body',
    ends: 200,
    answer: write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n'),
  },
} satisfies Record<string, Behaviour>;

const broken = {
  'close-after-request': { does: 'closes the connection unanswered', ends: ['reset'], answer: end('') },
  'close-within-status-line': {
    does: 'closes the connection within the status line',
    ends: ['reset'],
    answer: end('HTTP/1.1 20'),
  },
  'close-within-headers': {
    does: 'closes the connection within the headers',
    ends: ['reset'],
    answer: end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n'),
  },
  'reset-on-connect': {
    does: 'resets every connection at once',
    ends: ['reset', 'tls'],
    answer: nothing,
    onConnection: reset,
  },
  'reset-after-request': {
    does: 'resets the connection after the request',
    ends: ['reset'],
    answer: reset,
  },
  'reset-within-status-line': {
    does: 'resets the connection within the status line',
    ends: ['reset'],
    answer: (socket) => socket.write('HTTP/1.1 20', () => resetAfter(socket, 20)),
  },
  'reset-within-headers': {
    does: 'resets the connection within the headers',
    ends: ['reset'],
    answer: (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-', () => resetAfter(socket, 20)),
  },
  'reset-within-body': {
    does: 'resets the connection within the body',
    ends: 200,
    answer: (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', () => resetAfter(socket, 20));
    },
  },
  'short-body': {
    does: 'closes the connection before the body is whole',
    ends: 200,
    answer: end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'),
  },
  'short-body-of-a-failure': {
    does: 'closes the connection before the body of a 500 is whole',
    ends: 500,
    answer: end('HTTP/1.1 500 X\r\ncontent-length: 100\r\n\r\nhalf'),
  },
  'bad-chunk': {
    does: 'sends a chunk whose size is no number',
    ends: 200,
    answer: end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'),
  },
} satisfies Record<string, Behaviour>;

const malformed = {
  'http-0.9': {
    does: 'sends text without headers',
    ends: ['protocol'],
    answer: write('<h1>hello</h1>\r\n\r\n'),
  },
  'http-2': {
    does: 'answers as HTTP/2, in text',
    ends: ['protocol'],
    answer: write('HTTP/2 200\r\ncontent-length: 0\r\n\r\n'),
  },
  'other-protocol': { does: 'speaks SSH', ends: ['protocol'], answer: write('SSH-2.0-OpenSSH_9.2\r\n') },
  'length-and-chunked': {
    does: 'frames its body twice, by length and by chunks',
    ends: ['protocol'],
    answer: write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n'),
  },
  'two-lengths': {
    does: 'sends two lengths',
    ends: ['protocol'],
    answer: write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello'),
  },
  'negative-length': {
    does: 'sends a negative length',
    ends: ['protocol'],
    answer: write('HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n'),
  },
  'bare-line-feeds': {
    does: 'ends its lines by LF alone',
    ends: ['protocol'],
    answer: write('HTTP/1.1 200 OK\ncontent-length: 2\n\nhi'),
  },
  'space-in-a-name': {
    does: 'sends a header whose name has a space in it',
    ends: ['protocol'],
    answer: write('HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n'),
  },
  binary: {
    does: 'answers in the frames of HTTP/2',
    ends: ['protocol'],
    answer: write('\0\0\x12\x04\0\0\0\0\0'),
  },
  'status-20': {
    does: 'answers with a status of two digits',
    ends: ['protocol'],
    answer: write('HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n'),
  },
  'status-099': { does: 'answers with the status 099', ends: ['protocol'], answer: write(response('099')) },
  'status-600': { does: 'answers with the status 600', ends: 600, answer: write(response(600)) },
  'status-999': { does: 'answers with the status 999', ends: 999, answer: write(response(999)) },
  'unasked-101': {
    does: 'switches protocols unasked',
    ends: ['protocol'],
    answer: write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'),
  },
  'unasked-100': {
    does: 'says 100 Continue unasked, and answers',
    ends: 200,
    answer: write(`HTTP/1.1 100 Continue\r\n\r\n${response(200, 'fine')}`),
  },
  'body-of-204': {
    does: 'sends a body with 204',
    ends: 204,
    answer: write('HTTP/1.1 204 X\r\ncontent-length: 5\r\n\r\nhello'),
  },
} satisfies Record<string, Behaviour>;

const endless = {
  'endless-100': {
    does: 'says 100 Continue without end',
    ends: ['protocol'],
    answer: floodAfter('', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)),
  },
  'endless-103': {
    does: 'sends 103 Early Hints without end',
    ends: ['protocol'],
    answer: floodAfter('', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(100)),
  },
  'endless-headers': {
    does: 'sends headers without end',
    ends: ['too_large'],
    answer: floodAfter('HTTP/1.1 200 OK\r\n', 'x-more: and more\r\n'.repeat(500)),
  },
  'endless-empty-lines': {
    does: 'sends empty lines without end, and no status',
    ends: ['too_large'],
    answer: floodAfter('', '\r\n'.repeat(5_000)),
  },
  'endless-reason': {
    does: 'sends a reason phrase without end',
    ends: ['too_large'],
    answer: floodAfter('HTTP/1.1 200 ', kilobytes),
  },
  'endless-body': {
    does: 'sends a body without end',
    ends: 200,
    answer: floodAfter('HTTP/1.0 200 OK\r\n\r\n', kilobytes),
  },
  'endless-chunks': {
    does: 'sends chunks without end',
    ends: 200,
    answer: floodAfter('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', `2710\r\n${kilobytes}\r\n`),
  },
  'endless-chunk-extension': {
    does: 'sends the extension of a chunk without end',
    ends: 200,
    answer: floodAfter('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4;', kilobytes),
  },
  'large-header': {
    does: 'sends a header of 20 KB',
    ends: ['too_large'],
    answer: write(response(200, '', `x-large: ${'a'.repeat(20_000)}\r\n`)),
  },
  'many-headers': {
    does: 'sends 2,000 small headers',
    ends: 200,
    answer: write(response(200, '', 'x: y\r\n'.repeat(2_000))),
  },
  'gzip-bomb': {
    does: 'sends 50 KB that decompress to 50 MB',
    ends: 200,
    answer: writeBody(gzipBomb, 'content-encoding: gzip\r\n'),
  },
  'gzip-a-thousand-times': {
    does: 'names a thousand codings of its body',
    ends: 200,
    answer: write(response(200, 'hello', `content-encoding: ${Array(1_000).fill('gzip').join(', ')}\r\n`)),
  },
  'no-gzip': {
    does: 'says that its body is compressed, and it is not',
    ends: 200,
    answer: write(response(200, 'not compressed', 'content-encoding: gzip\r\n')),
  },
} satisfies Record<string, Behaviour>;

const luring = {
  'second-answer': {
    does: 'sends another answer behind the one that was asked for',
    ends: 200,
    answer: write(response(200, 'asked') + response(500, 'unasked')),
  },
  'early-400': {
    does: 'answers 400 as soon as the request begins',
    ends: 400,
    answer: nothing,
    onConnection: (socket) => {
      socket.once('data', () => socket.write(response(400, 'too much', 'connection: close\r\n')));
    },
  },
  ...Object.fromEntries(
    [301, 302, 303, 307, 308].map((status): [string, Behaviour] => [
      `redirect-${status}`,
      {
        does: `answers ${status}, to an address of a cloud's metadata`,
        ends: status,
        answer: write(response(status, '', 'location: http://169.254.169.254/latest/meta-data/\r\n')),
      },
    ]),
  ),
  'cookies-and-challenges': {
    does: 'answers 401 and asks for cookies, NTLM, Alt-Svc and HSTS',
    ends: 401,
    answer: write(
      response(
        401,
        '',
        'set-cookie: a=1\r\nalt-svc: h2=":443"\r\nstrict-transport-security: max-age=1\r\nwww-authenticate: NTLM\r\n',
      ),
    ),
  },
  script: {
    does: 'answers with a page that holds a script',
    ends: 200,
    answer: write(response(200, '<script>alert(1)</script>', 'content-type: text/html\r\n')),
  },
  unprintable: {
    does: 'answers with ANSI escapes, line breaks, bidirectional marks, NUL and bytes that are no UTF-8',
    ends: 200,
    answer: writeBody(Buffer.from([...Buffer.from('\u001b[31mred\r\n\u202eabc\u0000'), 0xff, 0xfe, 0xc3])),
  },
  echo: {
    does: 'answers with the request, its headers and body',
    ends: 200,
    answer: (socket, request) => socket.write(response(200, request), 'latin1'),
  },
} satisfies Record<string, Behaviour>;

const day = 86_400_000;
const ok = write(response(200, 'never to be seen'));

const untrusted = {
  'tls-silent': {
    does: 'never answers the first words of TLS',
    ends: ['connect_timeout'],
    answer: nothing,
    tls: 'raw',
  },
  'tls-slow': {
    does: 'answers TLS a byte at a time',
    ends: ['connect_timeout'],
    answer: nothing,
    onConnection: (socket) => {
      // The head of a handshake record, which is never complete.
      socket.write(Buffer.from([0x16, 0x03, 0x03, 0x40, 0x00]));
      trickle(socket, 'x', 20);
    },
    tls: 'raw',
  },
  'tls-is-http': {
    does: 'speaks plain HTTP where TLS is expected',
    ends: ['tls'],
    answer: nothing,
    onConnection: (socket) => void socket.write(response(400, 'plain')),
    tls: 'raw',
  },
  'tls-closed': {
    does: 'closes the connection within the handshake',
    ends: ['reset', 'tls'],
    answer: nothing,
    onConnection: (socket) => void socket.once('data', () => socket.end()),
    tls: 'raw',
  },
  'tls-self-signed': {
    does: 'has signed its certificate itself',
    ends: ['tls'],
    answer: ok,
    tls: 'always',
    server: () => certificate({ name: host, ips: [host] }),
  },
  'tls-unknown-authority': {
    does: 'has a certificate of an authority nobody trusts',
    ends: ['tls'],
    answer: ok,
    tls: 'always',
    server: () => certificate({ name: host, issuer: certificate({ name: 'Nobody' }), ips: [host] }),
  },
  'tls-expired': {
    does: 'has a certificate that has expired',
    ends: ['tls'],
    answer: ok,
    tls: 'always',
    server: () =>
      certificate({
        name: host,
        issuer: hostileAuthority,
        ips: [host],
        notAfter: new Date(Date.now() - day),
      }),
  },
  'tls-wrong-host': {
    does: 'has a certificate of another host',
    ends: ['tls'],
    answer: ok,
    tls: 'always',
    server: () => certificate({ name: 'other', issuer: hostileAuthority, ips: ['127.0.0.9'] }),
  },
  'tls-1.0': {
    does: 'speaks TLS 1.0 at most',
    ends: ['tls'],
    answer: ok,
    tls: 'always',
    server: () => ({
      ...goodCertificate,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    }),
  },
  'tls-http-2-only': {
    does: 'agrees to HTTP/2 and nothing else',
    ends: ['tls'],
    answer: ok,
    tls: 'always',
    server: () => ({ ...goodCertificate, ALPNProtocols: ['h2'] }),
  },
  'tls-renegotiates': {
    does: 'begins the handshake anew before it answers',
    ends: 200,
    answer: (socket) => {
      const answer = () => void socket.write(response(200));
      if (!(socket as TLSSocket).renegotiate({}, answer)) answer();
    },
    tls: 'always',
    server: () => ({ ...goodCertificate, maxVersion: 'TLSv1.2' }),
  },
} satisfies Record<string, Behaviour>;

/** All of them, by name. */
export const hostileBehaviours: Readonly<Record<string, Behaviour>> = {
  ...slow,
  ...broken,
  ...malformed,
  ...endless,
  ...luring,
  ...untrusted,
};
