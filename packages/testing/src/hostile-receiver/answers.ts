import { type Answer, flood } from './raw-receiver.js';

export const nothing: Answer = () => {};
export const write =
  (text: string): Answer =>
  (socket) =>
    void socket.write(text, 'latin1');
export const end =
  (text: string): Answer =>
  (socket) =>
    void socket.end(text, 'latin1');
export const floodAfter =
  (head: string, part: string): Answer =>
  (socket) => {
    socket.write(head);
    flood(socket, part);
  };
/** With bytes that stay what they are. */
export const writeBody =
  (body: Buffer, headers = ''): Answer =>
  (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${headers}content-length: ${body.length}\r\n\r\n`);
    socket.write(body);
  };
