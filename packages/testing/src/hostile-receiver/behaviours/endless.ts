import { gzipSync } from 'node:zlib';
import { floodAfter, write, writeBody } from '../answers.js';
import type { Behaviour } from '../behaviour.js';
import { response } from '../raw-receiver.js';

const kilobytes = 'a'.repeat(10_000);

/** 50 KB that decompress to 50 MB: fifty gzip members in a row (RFC 1952 §2.2), created quickly. */
const gzipBomb = Buffer.concat(Array<Buffer>(50).fill(gzipSync(Buffer.alloc(1_000_000))));

/** Receivers whose answer is too large, or never ends. */
export const endless = {
  'endless-100': {
    does: 'sends 100 Continue without end',
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
    does: 'lists a thousand content codings',
    ends: 200,
    answer: write(response(200, 'hello', `content-encoding: ${Array(1_000).fill('gzip').join(', ')}\r\n`)),
  },
  'no-gzip': {
    does: 'declares a compressed body that is not compressed',
    ends: 200,
    answer: write(response(200, 'not compressed', 'content-encoding: gzip\r\n')),
  },
} satisfies Record<string, Behaviour>;
