import { createSocket } from 'node:dgram';
import { promises } from 'node:dns';
import { once } from 'node:events';
import { type AddressInfo, isIP } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { resolveByDns, resolveByLookup } from '../src/resolve.js';

const types = { A: 1, AAAA: 28 };

/** A name server that answers each question with the records `answer` gives; undefined is no answer at all. */
async function nameServer(answer: (type: 'A' | 'AAAA') => readonly (readonly number[])[] | undefined) {
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const questionEnd = query.indexOf(0, 12) + 5;
    const type = query.readUInt16BE(questionEnd - 4) === types.A ? 'A' : 'AAAA';
    const records = answer(type);
    if (!records) return;
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(records.length, 6);
    head.writeUInt32BE(0, 8);
    const answers = records.map((bytes) =>
      Buffer.from([0xc0, 12, 0, types[type], 0, 1, 0, 0, 0, 60, 0, bytes.length, ...bytes]),
    );
    socket.send(Buffer.concat([head, query.subarray(12, questionEnd), ...answers]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  const resolver = new promises.Resolver({ timeout: 100, tries: 1 });
  resolver.setServers([`127.0.0.1:${(socket.address() as AddressInfo).port}`]);
  return resolver;
}

const six = [0x2a, 0, 0x14, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

test('DNS is asked for both families', async () => {
  const resolver = await nameServer((type) =>
    type === 'A'
      ? [
          [1, 2, 3, 4],
          [10, 0, 0, 1],
        ]
      : [six],
  );
  expect(await resolveByDns(resolver)('example.com')).toEqual(['1.2.3.4', '10.0.0.1', '2a00:1450::1']);
});

test.each(['A', 'AAAA'])('a name with an answer for one family alone has it, %s', async (only) => {
  const resolver = await nameServer((type) => (type === only ? [type === 'A' ? [1, 2, 3, 4] : six] : []));
  expect(await resolveByDns(resolver)('example.com')).toEqual([only === 'A' ? '1.2.3.4' : '2a00:1450::1']);
});

test('a family that is never answered does not hide the other', async () => {
  const resolver = await nameServer((type) => (type === 'A' ? [[1, 2, 3, 4]] : undefined));
  expect(await resolveByDns(resolver)('example.com')).toEqual(['1.2.3.4']);
});

test('a name server that says nothing is given up, with the error of DNS', async () => {
  const resolver = await nameServer(() => undefined);
  await expect(resolveByDns(resolver)('example.com')).rejects.toMatchObject({ code: 'ETIMEOUT' });
});

const lookupAnswering = (answer: unknown) =>
  resolveByLookup((_host, _options, callback) => setImmediate(() => callback(null, answer as never)));

test.each([[undefined], [null], [5], [[]], [{ address: '1.2.3.4' }]])(
  'a look-up that answers with %j has found nothing',
  async (answer) => {
    await expect(lookupAnswering(answer)('a.b')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  },
);

test.each([[null], [{}], [{ address: 5 }], [{ address: 'a.b' }]])(
  'a look-up that answers with %j among others has found what is no address',
  async (entry) => {
    const [address, ...others] = await lookupAnswering([entry, { address: '1.2.3.4', family: 4 }])('a.b');
    expect(isIP(address!)).toBe(0);
    expect(others).toEqual(['1.2.3.4']);
  },
);

test('a look-up may answer with one address, as well as with all', async () => {
  expect(await resolveByLookup((_host, _options, callback) => callback(null, '1.2.3.4', 4))('a.b')).toEqual([
    '1.2.3.4',
  ]);
});
