import { until } from '@posthorn/testing';
import { type HostileReceiver, hostileBehaviours, hostileReceiver } from '@posthorn/testing/hostile-receiver';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { OutboundResult } from '../src/index.js';
import { client, overdue } from './client.js';
import { receiver, response } from './receiver.js';

/** Short if a timeout may end the request or its body; otherwise long enough for a busy machine. */
const timesOf = (ends: readonly unknown[]) => ({
  timeoutMs: ends.some((end) => /timeout|^\d/.test(String(end))) ? 1_000 : 20_000,
  connectTimeoutMs: ends.includes('connect_timeout') ? 200 : 20_000,
});
/** How much later than a timer with the same deadline a request may end. */
const graceMs = 300;

async function hostile(name: string, tls: boolean): Promise<HostileReceiver> {
  const listening = await hostileReceiver(name, { tls });
  onTestFinished(() => listening.close());
  return listening;
}

const endOf = (result: OutboundResult): unknown => (result.ok ? result.status : result.kind);

const cases = Object.entries(hostileBehaviours).flatMap(([name, { does, tls, ends }]) =>
  (tls ? ['https'] : ['http', 'https']).map((scheme) => [does, scheme, name, [ends].flat()] as const),
);

describe('a receiver that', () => {
  test.each(cases)('%s, over %s', async (_, scheme, name, ends) => {
    const { url, ca, open } = await hostile(name, scheme === 'https');
    const times = timesOf(ends);
    const outbound = client({ ...times, ca });
    const overdueMs = overdue(times.timeoutMs);
    const result = await outbound.request({ url, body: '{}' });
    expect(overdueMs()).toBeLessThan(graceMs);
    expect(ends).toContain(endOf(result));
    if (!result.ok) await until(() => open() === 0);
    const { url: friendly } = await receiver((socket) => socket.write(response(200, 'fine')));
    expect(await outbound.request({ url: friendly })).toMatchObject({ ok: true, body: 'fine' });
    await outbound.close();
    await until(() => open() === 0);
  });
});

test('an unknown behaviour is refused, and so is a TLS behaviour without TLS', async () => {
  await expect(hostileReceiver('kind')).rejects.toThrow(/unknown behaviour kind; expected one of silent,/);
  await expect(hostileReceiver('__proto__')).rejects.toThrow(RangeError);
  await expect(hostileReceiver('tls-expired', { tls: false })).rejects.toThrow('is a behaviour of TLS');
});
