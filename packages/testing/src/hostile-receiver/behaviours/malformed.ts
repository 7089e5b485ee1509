import { write } from '../answers.js';
import type { Behaviour } from '../behaviour.js';
import { response } from '../raw-receiver.js';

/** Receivers whose answer is not HTTP/1.1, or not quite. */
export const malformed = {
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
    does: 'ends its lines with LF only',
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
    does: 'sends 100 Continue unasked, and answers',
    ends: 200,
    answer: write(`HTTP/1.1 100 Continue\r\n\r\n${response(200, 'fine')}`),
  },
  'body-of-204': {
    does: 'sends a body with 204',
    ends: 204,
    answer: write('HTTP/1.1 204 X\r\ncontent-length: 5\r\n\r\nhello'),
  },
} satisfies Record<string, Behaviour>;
