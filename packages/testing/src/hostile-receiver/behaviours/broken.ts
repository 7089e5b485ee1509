import { end, nothing } from '../answers.js';
import type { Behaviour } from '../behaviour.js';
import { reset, resetAfter } from '../raw-receiver.js';

/** Receivers that end the connection too early, or in the middle of their answer. */
export const broken = {
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
    does: 'sends a chunk whose size is not a number',
    ends: 200,
    answer: end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'),
  },
} satisfies Record<string, Behaviour>;
