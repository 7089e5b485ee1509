import { type AddressInfo, createServer } from 'node:net';

/*
 * A minimal HTTP receiver. It measures the time of each event since its publication, by path. Requests to /slow are
 * answered after five seconds. On the message `report` it sends its figures and clears them.
 */

const answer = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
const endOfHead = '\r\n\r\n';
let took: number[] = [];

const server = createServer((socket) => {
  socket.setNoDelay(true);
  let rest = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    rest += chunk;
    for (;;) {
      const end = rest.indexOf(endOfHead);
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(rest.slice(0, end))?.[1] ?? 0);
      const total = end + 4 + length;
      if (rest.length < total) return;
      const isSlow = rest.startsWith('POST /slow');
      const body = rest.slice(end + 4, total);
      rest = rest.slice(total);
      if (isSlow) {
        setTimeout(() => socket.writable && socket.write(answer), 5_000);
        continue;
      }
      const sentAt = /"sentAt":([\d.]+)/.exec(body)?.[1];
      if (sentAt) took.push(performance.timeOrigin + performance.now() - Number(sentAt));
      socket.write(answer);
    }
  });
  socket.on('error', () => socket.destroy());
});

process.on('message', (what) => {
  if (what !== 'report') return;
  process.send?.({ took });
  took = [];
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
