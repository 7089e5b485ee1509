import { createSocket } from 'node:dgram';
import { promises } from 'node:dns';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

const types = { A: 1, AAAA: 28 };

type Records = readonly (readonly number[])[];

export interface NameServer {
  /** Creates a resolver that queries only this server. */
  makeResolver(): promises.Resolver;
  /** The queried names, one entry per family. */
  readonly asked: readonly string[];
}

/** Response codes of a name server that does not serve a domain, or fails (RFC 1035 §4.1.1). */
const refusals = { refused: 0x8185, failed: 0x8182 };

type Reply = Records | keyof typeof refusals | undefined;

/**
 * Starts a name server that answers each question with the records that `answer` resolves to, or not at all if it
 * resolves to undefined. Its resolver tries once, with a timeout of `timeoutMs`.
 */
export async function nameServer(
  answer: (type: 'A' | 'AAAA', name: string) => Reply | Promise<Reply>,
  timeoutMs = 100,
): Promise<NameServer> {
  const asked: string[] = [];
  const socket = createSocket('udp4');
  const resolvers: promises.Resolver[] = [];
  socket.on('message', async (query, { port, address }) => {
    const questionEnd = query.indexOf(0, 12) + 5;
    const type = query.readUInt16BE(questionEnd - 4) === types.A ? 'A' : 'AAAA';
    const name = nameIn(query.subarray(12, questionEnd - 5));
    if (type === 'A') asked.push(name);
    const reply = await answer(type, name);
    if (!reply) return;
    const records = typeof reply === 'string' ? [] : reply;
    const head = Buffer.from(query.subarray(0, 12));
    // A name without records does not exist.
    const refusal = typeof reply === 'string' ? refusals[reply] : 0x8183;
    head.writeUInt16BE(records.length > 0 ? 0x8180 : refusal, 2);
    head.writeUInt16BE(records.length, 6);
    head.writeUInt32BE(0, 8);
    const answers = records.map((bytes) =>
      Buffer.from([0xc0, 12, 0, types[type], 0, 1, 0, 0, 0, 60, 0, bytes.length, ...bytes]),
    );
    socket.send(Buffer.concat([head, query.subarray(12, questionEnd), ...answers]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => {
    for (const resolver of resolvers) resolver.cancel();
    socket.close();
  });
  return {
    asked,
    makeResolver() {
      const resolver = new promises.Resolver({ timeout: timeoutMs, tries: 1 });
      resolvers.push(resolver);
      resolver.setServers([`127.0.0.1:${(socket.address() as AddressInfo).port}`]);
      return resolver;
    },
  };
}

/** Encodes labels, each after its length. */
function nameIn(bytes: Buffer): string {
  const labels: string[] = [];
  for (let at = 0; at < bytes.length; at += bytes[at]! + 1) {
    labels.push(bytes.toString('latin1', at + 1, at + 1 + bytes[at]!));
  }
  return labels.join('.').toLowerCase();
}
