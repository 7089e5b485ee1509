import type { TLSSocket } from 'node:tls';
import { nothing, write } from '../answers.js';
import { goodCertificate, host, hostileAuthority } from '../authority.js';
import type { Behaviour } from '../behaviour.js';
import { certificate } from '../certificate.js';
import { response, trickle } from '../raw-receiver.js';

const day = 86_400_000;
const ok = write(response(200, 'must not be read'));

/** Receivers whose TLS fails, or that a client must reject. */
export const untrusted = {
  'tls-silent': {
    does: 'never answers the TLS client hello',
    ends: ['connect_timeout'],
    answer: nothing,
    tls: 'raw',
  },
  'tls-slow': {
    does: 'answers TLS a byte at a time',
    ends: ['connect_timeout'],
    answer: nothing,
    onConnection: (socket) => {
      // The header of a handshake record that is never completed.
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
    does: 'has a self-signed certificate',
    ends: ['tls'],
    answer: ok,
    tls: 'always',
    server: () => certificate({ name: host, ips: [host] }),
  },
  'tls-unknown-authority': {
    does: 'has a certificate of an untrusted authority',
    ends: ['tls'],
    answer: ok,
    tls: 'always',
    server: () => certificate({ name: host, issuer: certificate({ name: 'Unknown' }), ips: [host] }),
  },
  'tls-expired': {
    does: 'has an expired certificate',
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
    does: 'agrees to HTTP/2 only',
    ends: ['tls'],
    answer: ok,
    tls: 'always',
    server: () => ({ ...goodCertificate, ALPNProtocols: ['h2'] }),
  },
  'tls-renegotiates': {
    does: 'renegotiates before it answers',
    ends: 200,
    answer: (socket) => {
      const answer = () => void socket.write(response(200));
      if (!(socket as TLSSocket).renegotiate({}, answer)) answer();
    },
    tls: 'always',
    server: () => ({ ...goodCertificate, maxVersion: 'TLSv1.2' }),
  },
} satisfies Record<string, Behaviour>;
