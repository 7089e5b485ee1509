import pg from 'pg';
import { type Competitor, concurrency, type Job, type Place, sender } from './competitor.js';

/*
 * The upper limit for a durable queue. Events are batched while an insert is in flight, and are leased to this process
 * when they are inserted; results are batched in the same way. It has no retries, limits, matching or rotation.
 */

const schema = `
  drop schema if exists loop cascade; create schema loop;
  create table loop.bodies (id bigint primary key, body text not null);
  create table loop.work (id bigint primary key, due_at timestamptz not null, status smallint not null);
  create table loop.attempts (id bigint not null, number int not null, at timestamptz not null, status int not null);
  create index work_due on loop.work (due_at) where status = 0;`;

/** Turns calls into batches: calls that come while a batch is in flight go with the next one. */
function batched<Item>(
  write: (items: Item[]) => Promise<unknown>,
  max: number,
): (item: Item) => Promise<void> {
  let waiting: { item: Item; resolve: () => void; reject: (error: unknown) => void }[] = [];
  let isWriting = false;
  async function run(): Promise<void> {
    isWriting = true;
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const batch = waiting.slice(0, max);
      waiting = waiting.slice(max);
      try {
        await write(batch.map(({ item }) => item));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    isWriting = false;
  }
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (!isWriting) void run();
    });
}

export async function loop({ postgres, origin }: Place): Promise<Competitor> {
  const pool = new pg.Pool({ connectionString: postgres, max: 10 });
  await pool.query(schema);
  const send = sender(origin);
  const ready: { id: number; job: Job }[] = [];
  let ids = 0;
  let flying = 0;
  let onDone: (() => void) | undefined;

  const insert = batched<{ id: number; job: Job }>(async (rows) => {
    const values: unknown[] = [onDone ? 1 : 0];
    const places = rows.map(({ id, job }, i) => {
      values.push(id, JSON.stringify(job));
      return `($${2 * i + 2}::bigint, $${2 * i + 3}::text)`;
    });
    await pool.query({
      name: `insert ${rows.length}`,
      text: `with given (id, body) as (values ${places.join(', ')}),
        bodies as (insert into loop.bodies select * from given)
        insert into loop.work select id, now() + interval '30 s', $1::int from given`,
      values,
    });
    if (onDone) {
      ready.push(...rows);
      advance();
    }
  }, 200);

  const settle = batched<number>(
    (done) =>
      pool.query({
        name: 'settle',
        text: `with done as (update loop.work set status = 2 where id = any ($1::bigint[]) returning id)
          insert into loop.attempts select id, 1, now(), 200 from done`,
        values: [done],
      }),
    500,
  );

  async function fly({ id, job }: { id: number; job: Job }): Promise<void> {
    await send(job);
    flying--;
    advance();
    await settle(id);
    onDone!();
  }

  function advance(): void {
    while (flying < concurrency && ready.length > 0) {
      flying++;
      void fly(ready.shift()!);
    }
    if (flying + ready.length < concurrency / 2) void claim();
  }

  let isClaiming = false;
  let isEmpty = false;
  async function claim(): Promise<void> {
    if (isClaiming || isEmpty) return;
    isClaiming = true;
    const { rows } = await pool.query({
      name: 'claim',
      text: `with picked as (
          select id from loop.work where status = 0 order by due_at limit $1 for update skip locked
        ), claimed as (
          update loop.work w set status = 1 from picked p where w.id = p.id returning w.id
        ) select id, body from claimed join loop.bodies using (id)`,
      values: [concurrency],
    });
    isClaiming = false;
    isEmpty = rows.length === 0;
    ready.push(...rows.map(({ id, body }) => ({ id: Number(id), job: JSON.parse(body) as Job })));
    advance();
  }

  return {
    publish: (job) => insert({ id: ++ids, job }),
    work(done) {
      onDone = done;
      return claim();
    },
    close: () => pool.end(),
  };
}
