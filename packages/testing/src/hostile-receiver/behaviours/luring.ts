import { nothing, write, writeBody } from '../answers.js';
import type { Behaviour } from '../behaviour.js';
import { response } from '../raw-receiver.js';

/** Receivers whose answer is well-formed, and asks for more than a sender should do. */
export const luring = {
  'second-answer': {
    does: 'sends a second answer after the one that was asked for',
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
        does: `answers ${status}, with a redirect to a cloud metadata address`,
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
    does: 'answers with a page that contains a script',
    ends: 200,
    answer: write(response(200, '<script>alert(1)</script>', 'content-type: text/html\r\n')),
  },
  unprintable: {
    does: 'answers with ANSI escapes, line breaks, bidirectional marks, NUL and bytes that are not UTF-8',
    ends: 200,
    answer: writeBody(Buffer.from([...Buffer.from('\u001b[31mred\r\n\u202eabc\u0000'), 0xff, 0xfe, 0xc3])),
  },
  echo: {
    does: 'answers with the request, its headers and body',
    ends: 200,
    answer: (socket, request) => socket.write(response(200, request), 'latin1'),
  },
} satisfies Record<string, Behaviour>;
