import { type AddressInfo, createServer } from 'node:net';

/*
 * A minimal HTTP receiver, so that the sender is measured and not the receiver. It finds the end of each request by its
 * content-length, and answers 200.
 */

const answer = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
const endOfHead = Buffer.from('\r\n\r\n');

const server = createServer((socket) => {
  socket.setNoDelay(true);
  let rest = 0;
  let head = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (rest > 0) {
        const taken = Math.min(rest, chunk.length - at);
        rest -= taken;
        at += taken;
      } else {
        head = head.length > 0 ? Buffer.concat([head, chunk.subarray(at)]) : chunk.subarray(at);
        const end = head.indexOf(endOfHead);
        if (end < 0) return;
        const length = /content-length: (\d+)/i.exec(head.toString('latin1', 0, end))?.[1] ?? '0';
        at = chunk.length - (head.length - end - endOfHead.length);
        rest = Number(length);
        head = Buffer.alloc(0);
      }
      if (rest === 0) socket.write(answer);
    }
  });
  socket.on('error', () => socket.destroy());
});

process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
