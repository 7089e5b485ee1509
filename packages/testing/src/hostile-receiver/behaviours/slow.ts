import { nothing, write } from '../answers.js';
import type { Behaviour } from '../behaviour.js';
import { trickle } from '../raw-receiver.js';

/** Receivers that answer slowly, or never. */
export const slow = {
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
