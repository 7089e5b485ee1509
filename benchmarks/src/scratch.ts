import { fork } from 'node:child_process';
import { once } from 'node:events';
import { httpChannel } from '@posthorn/channel-http';
import { createDispatcher } from '@posthorn/core';
import { postgresStorage } from '@posthorn/storage-postgres';
import pg from 'pg';
const pool = new pg.Pool({ connectionString: process.env.DB ?? 'postgres://postgres@127.0.0.1:5432/test', max: 10 });
const schema = 'scratch_bench';
await pool.query(`drop schema if exists ${schema} cascade`);
const storage = postgresStorage(pool, { schema });
await storage.migrate();
const receiver = fork(new URL('./receiver.ts', import.meta.url), { execArgv: ['--import', 'tsx'] });
const [port] = (await once(receiver, 'message')) as [number];
import { readdirSync, readFileSync } from 'node:fs';
function pgCpu() { let t = 0; for (const d of readdirSync('/proc')) { if (!/^\d+$/.test(d)) continue; try { const st = readFileSync(`/proc/${d}/stat`, 'utf8'); if (!st.includes('(postgres)')) continue; const f = st.slice(st.lastIndexOf(')') + 2).split(' '); t += Number(f[11]) + Number(f[12]); } catch {} } return t * 10_000; }
const n = Number(process.argv[2] ?? 10000);
let queries = 0;
const times: Record<string, [number, number]> = {};
const original = pool.query.bind(pool);
const label = (t: string) => t.includes('json_build_array(sort') ? 'publish' : t.includes('again as') ? 'settle' : t.includes('ready (tenant') ? 'look' : t.includes('claimed as') ? 'take' : t.slice(0, 40);
(pool as any).query = async (...a: any[]) => {
  queries++;
  const text = typeof a[0] === 'string' ? a[0] : a[0].text;
  const b = performance.now();
  try { return await (original as any)(...a); } finally {
    const l = label(text); const x = (times[l] ??= [0, 0]); x[0]++; x[1] += performance.now() - b;
  }
};
const dispatcher = createDispatcher({
  storage,
  channels: [httpChannel({ outbound: { policy: { allowHttp: true }, connections: 100 } })],
  concurrency: 100, webhookConcurrency: 100,
});
dispatcher.on('error', (e) => console.log('error', e.message, (e.cause as Error)?.message));
await dispatcher.webhooks.create({ name: 'b', eventTypes: ['object.*'], channels: [{ channel: 'webhook', configs: { url: `http://127.0.0.1:${port}` } }] });
const payload = { text: 'x'.repeat(1000), number: 42 };
async function run(count: number) {
  let open = count;
  let done!: () => void;
  const finished = new Promise<void>((r) => { done = r; });
  const on = () => { if (--open === 0) done(); };
  dispatcher.on('delivery:delivered', on);
  let left = count;
  await Promise.all(Array.from({ length: 64 }, async () => { while (left-- > 0) await dispatcher.dispatch('object.created', payload); }));
  await finished;
  dispatcher.off('delivery:delivered', on);
}
dispatcher.start();
await run(3000);
for (const k of Object.keys(times)) delete times[k];
const lsn = (await pool.query('select pg_current_wal_lsn() l')).rows[0].l;
const cpu = process.cpuUsage(); const pc = pgCpu(); const b = performance.now(); queries = 0;
await run(n);
const s = (performance.now() - b) / 1000; const c = process.cpuUsage(cpu);
const wal = (await pool.query('select pg_wal_lsn_diff(pg_current_wal_lsn(), $1) d', [lsn])).rows[0].d;
console.log(`end to end ${Math.round(n / s)}/s, cpu ${((c.user + c.system) / n).toFixed(1)} µs, pg ${((pgCpu() - pc) / n).toFixed(1)} µs, queries ${queries}, wal ${Math.round(wal / n)} B`);
console.log(Object.fromEntries(Object.entries(times).map(([k, [x, t]]) => [k, `${x} × ${(t / x).toFixed(2)} ms`])));
await dispatcher.stop();
// enqueue
let left = n; const c2 = process.cpuUsage(); const pc2 = pgCpu(); const b2 = performance.now();
await Promise.all(Array.from({ length: 64 }, async () => { while (left-- > 0) await dispatcher.dispatch('object.created', payload); }));
const c22 = process.cpuUsage(c2); console.log(`enqueue ${Math.round(n / ((performance.now() - b2) / 1000))}/s node ${((c22.user + c22.system) / n).toFixed(1)} pg ${((pgCpu() - pc2) / n).toFixed(1)}`);
for (const k of Object.keys(times)) delete times[k];
const b3 = performance.now(); const c3 = process.cpuUsage(); const pc3 = pgCpu();
await dispatcher.drain();
const c4 = process.cpuUsage(c3);
console.log(`drain ${Math.round(n / ((performance.now() - b3) / 1000))}/s cpu ${((c4.user + c4.system) / n).toFixed(1)} µs pg ${((pgCpu() - pc3) / n).toFixed(1)}`);
console.log(Object.fromEntries(Object.entries(times).map(([k, [x, t]]) => [k, `${x} × ${(t / x).toFixed(2)} ms`])));
receiver.kill();
await pool.end();
