import { type Answer, flood } from './raw-receiver.js';

/** Never answers. */
export const nothing: Answer = () => {};

/** Answers with this text, and leaves the connection open. */
export const write =
  (text: string): Answer =>
  (socket) =>
    void socket.write(text, 'latin1');

/** Answers with this text, and closes the connection. */
export const end =
  (text: string): Answer =>
  (socket) =>
    void socket.end(text, 'latin1');

/** Answers with `head`, followed by `part` repeated without end. */
export const floodAfter =
  (head: string, part: string): Answer =>
  (socket) => {
    socket.write(head);
    flood(socket, part);
  };

/** Answers 200 with these bytes. */
export const writeBody =
  (body: Buffer, headers = ''): Answer =>
  (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${headers}content-length: ${body.length}\r\n\r\n`);
    socket.write(body);
  };
