import { createIds, matchKeys } from '@posthorn/core';
import { postgresStorage } from '@posthorn/storage-postgres';
import pg from 'pg';
const pool = new pg.Pool({ connectionString: 'postgres://postgres@127.0.0.1:5432/test', max: 1 });
const schema = 'scratch_bench2';
await pool.query(`drop schema if exists ${schema} cascade`);
const storage = postgresStorage(pool, { schema, prepare: false });
await storage.migrate();
await storage.webhooks.create({ id: 'wh_0123456789', tenantId: 'default', name: 'x', eventTypes: ['object.*'], channels: [{ id: 'ch_0123456789', channel: 'webhook', configs: { url: 'x' } }], isActive: true, secrets: [] });
const ids = createIds();
const ev = () => ({ id: ids.event(), tenantId: 'default', type: 'object.created', payload: JSON.stringify({ text: 'x'.repeat(1000), number: 42 }), occurredAt: new Date(), namespaceId: null, subject: null, cacheScope: null, orderingKey: null, keys: matchKeys('object.created') });
const original = pool.query.bind(pool);
let explain = false;
(pool as any).query = async (c: any) => {
  if (explain && typeof c === 'object') {
    const r = await original('explain (analyze, buffers, timing on) ' + c.text, c.values);
    console.log(r.rows.map((x: any) => x['QUERY PLAN']).join('\n'));
  }
  return (original as any)(c);
};
const N = 64;
const claimFor = { limit: 200, leaseMs: 30000, webhookLimit: 200, inFlight: new Map() };
const att = (c: any) => ({ claim: c, next: { status: 'delivered' as const }, attempt: { id: ids.attempt(), deliveryId: c.deliveryId, number: 1, startedAt: new Date(), durationMs: 3, outcome: 'delivered' as const, kind: null, message: null, status: 200, response: '' } });
for (let i = 0; i < 60; i++) {
  const { claims } = await storage.deliveries.publish(Array.from({ length: N }, ev), { claimFor });
  await storage.deliveries.settle(claims.map(att));
}
for (const b of [64]) {
  let t1 = 0, t2 = 0;
  for (let i = 0; i < 200; i++) {
    const evs = Array.from({ length: b }, ev);
    const a = performance.now();
    const { claims } = await storage.deliveries.publish(evs, { claimFor });
    const c = performance.now();
    await storage.deliveries.settle(claims.map(att));
    t1 += c - a; t2 += performance.now() - c;
  }
  console.log(b, 'publish', (t1 / 200).toFixed(2), 'settle', (t2 / 200).toFixed(2));
}
explain = process.argv.includes('explain');
if (explain) {
await storage.deliveries.publish(Array.from({ length: N }, ev), { claimFor }).catch((e) => console.log(e));
explain = false;
const { claims } = await storage.deliveries.publish(Array.from({ length: N }, ev), { claimFor });
explain = true;
await storage.deliveries.settle(claims.map(att));
}
await pool.end();
