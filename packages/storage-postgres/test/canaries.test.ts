import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { httpChannel } from '@posthorn/channel-http';
import {
  createDispatcher,
  createSecret,
  type Dispatcher,
  type Lifecycle,
  type StorageAdapter,
} from '@posthorn/core';
import { createOutbound } from '@posthorn/outbound';
import { memoryStorage } from '@posthorn/storage-memory';
import { goodCertificate, hostileReceiver } from '@posthorn/testing/hostile-receiver';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

const bare = (secret: string): string => secret.replace(/^whs[a-z]+_/, '');

const secrets = { old: createSecret(), current: createSecret(), ed25519: createSecret('v1a') };
const encryptionKey = randomBytes(32).toString('base64');
const headers = { authorization: 'Bearer canary-of-authorization', 'x-api-key': 'canary-of-a-header' };
const proxyPassword = 'canary-of-the-proxy';

/** Secrets that must not appear anywhere. */
const canaries: Readonly<Record<string, string>> = {
  'an old signing secret': bare(secrets.old),
  'the current signing secret': bare(secrets.current),
  'an ed25519 key': bare(secrets.ed25519),
  'the authorization header': 'canary-of-authorization',
  'a header': headers['x-api-key'],
  'the encryption key': encryptionKey,
  "the proxy's password": proxyPassword,
  'the key of a client certificate': goodCertificate.key.split('\n')[1]!,
};

const events: readonly (keyof Lifecycle)[] = [
  'event:dispatched',
  'delivery:delivered',
  'delivery:failed',
  'delivery:dead',
  'delivery:cancelled',
  'delivery:released',
  'delivery:lost',
  'webhook:created',
  'webhook:updated',
  'webhook:deleted',
  'webhook:disabled',
  'error',
];

/** Everything that could be printed, by its source. */
class Haul {
  readonly prints = new Map<string, string[]>();

  add(what: string, ...values: unknown[]): void {
    const prints = this.prints.get(what) ?? [];
    for (const value of values) {
      prints.push(
        inspect(value, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null }),
      );
      try {
        prints.push(String(JSON.stringify(value)));
      } catch {
        // A value without a JSON form cannot leak through JSON.
      }
      if (value instanceof Error) prints.push(value.stack ?? '', inspect(value.cause, { depth: 12 }));
    }
    this.prints.set(what, prints);
  }

  async addError(what: string, promise: Promise<unknown>): Promise<void> {
    const error = await promise.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error, what).toBeInstanceOf(Error);
    this.add(what, error);
  }

  hits(): string[] {
    return [...this.prints].flatMap(([what, prints]) =>
      Object.entries(canaries)
        .filter(([, canary]) => prints.some((print) => print.includes(canary)))
        .map(([name]) => `${name} in ${what}`),
    );
  }
}

/** Runs everything that a dispatcher can do, successfully and not, with receivers that echo what they get. */
async function live(storage: StorageAdapter): Promise<Haul> {
  const haul = new Haul();
  for (const stream of [process.stdout, process.stderr]) {
    const write = vi.spyOn(stream, 'write');
    onTestFinished(() => write.mockRestore());
  }
  for (const method of ['log', 'warn', 'error', 'info', 'debug'] as const) {
    vi.spyOn(console, method).mockImplementation((...values) => haul.add('the console', ...values));
  }
  vi.spyOn(process, 'emitWarning').mockImplementation((...values) => haul.add('a warning', ...values));
  onTestFinished(() => void vi.restoreAllMocks());

  const echo = await hostileReceiver('echo');
  const failing = await hostileReceiver('short-body-of-a-failure');
  onTestFinished(() => Promise.all([echo.close(), failing.close()]).then(() => {}));
  const policy = { allowHttp: true, allowHosts: ['127.0.0.1'] };
  const direct = createOutbound({ policy });
  const proxied = createOutbound({
    policy: { ...policy, proxy: `http://user:${proxyPassword}@127.0.0.1:1` },
  });
  const { cert, key } = goodCertificate;
  const channel = httpChannel({ outbound: direct, tls: () => ({ cert, key }) });
  const engineOf = (keys: { id: string; key: string }[], outbound = channel) =>
    createDispatcher({ storage, channels: [outbound], encryption: { keys }, retry: { schedule: ['1ms'] } });
  const engine = engineOf([{ id: 'k1', key: encryptionKey }]);
  const stranger = engineOf([{ id: 'k2', key: randomBytes(32).toString('base64') }]);
  const behindProxy = engineOf([{ id: 'k1', key: encryptionKey }], httpChannel({ outbound: proxied }));
  const engines = { engine, stranger, behindProxy };
  for (const one of Object.values(engines))
    for (const name of events) one.on(name, (...facts: unknown[]) => haul.add(name, ...facts));

  const channelsTo = (url: string, own: Record<string, string> = headers) => [
    { channel: 'webhook', configs: { url, headers: own } },
  ];
  const { webhooks }: Dispatcher = engine;
  const base = { name: 'orders', eventTypes: ['*'] };
  const created = await webhooks.create({ ...base, secret: secrets.old, channels: channelsTo(echo.url) });
  haul.add('an answer', created);
  await webhooks.rotateSecret(created.id, { secret: secrets.ed25519 });
  await webhooks.rotateSecret(created.id, { secret: secrets.current });
  haul.add(
    'an answer',
    await webhooks.create({ ...base, secret: secrets.current, channels: channelsTo(failing.url) }),
  );
  haul.add('an answer', await webhooks.update(created.id, { channels: [...created.channels] }));
  haul.add('an answer', await webhooks.get(created.id), await webhooks.list());
  haul.add('a sample', await webhooks.test(created.id), await stranger.webhooks.test(created.id));

  for (const one of Object.values(engines)) {
    haul.add('an answer', await one.dispatch('order.created', { n: 1 }));
    await one.drain();
  }
  const { items } = await engine.deliveries.list();
  haul.add('a delivery', items, await engine.events.list());
  for (const { id } of items) haul.add('an attempt', await engine.deliveries.attempts(id));

  const bad = { ...headers, host: headers['x-api-key'] };
  await haul.addError(
    'an error',
    webhooks.create({ ...base, channels: channelsTo(`http://${proxyPassword}@a`, bad) }),
  );
  await haul.addError(
    'an error',
    webhooks.create({ ...base, secret: `${secrets.current}!`, channels: channelsTo(echo.url) }),
  );
  await haul.addError(
    'an error',
    webhooks.create({ ...base, id: created.id, secret: secrets.current, channels: channelsTo(echo.url) }),
  );
  await haul.addError('an error', webhooks.update(created.id, { secret: secrets.current } as never));
  await haul.addError('an error', webhooks.rotateSecret(created.id, { secret: `${secrets.current}x` }));
  await haul.addError('an error', stranger.webhooks.revealSecret(created.id));
  await haul.addError('an error', stranger.webhooks.rotateSecret(created.id));
  const wrong: (() => unknown)[] = [
    () => engineOf([{ id: 'k', key: encryptionKey.slice(1) }]),
    () => createOutbound({ policy: { proxy: `ftp://user:${proxyPassword}@a` } }),
    () => createOutbound({ ca: key }),
  ];
  for (const make of wrong) await haul.addError('an error', (async () => make())());
  await haul.addError('an error', direct.request({ url: echo.url, tls: { cert, key: key.slice(9) } }));
  await haul.addError(
    'an error',
    direct.request({ url: echo.url, headers: { host: headers.authorization } }),
  );

  expect(haul.prints.get('an attempt')!.join(), 'receivers must have echoed secrets').toContain('***');

  await webhooks.delete(created.id);
  haul.add('an object', engines, channel, direct, proxied, storage);
  for (const stream of [process.stdout, process.stderr])
    haul.add('a stream', ...vi.mocked(stream.write).mock.calls.flat());
  await Promise.all([direct.close(), proxied.close()]);
  return haul;
}

test('a leaked canary is found', () => {
  const haul = new Haul();
  haul.add('a log', { deep: [{ deeper: new Error(`no: ${secrets.current}`) }] });
  expect(haul.hits()).toEqual(['the current signing secret in a log']);
});

test('on a memory storage no secret leaks into anything that can be printed', async () => {
  const haul = await live(memoryStorage());
  expect(haul.hits()).toEqual([]);
  expect([...haul.prints.keys()]).toEqual(
    expect.arrayContaining(['an attempt', 'an error', 'a sample', 'delivery:failed', 'delivery:delivered']),
  );
});

describe.skipIf(!hasPostgres())('on Postgres', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase();
  });

  test('no secret leaks into anything that can be printed, nor into a dump of the database', async () => {
    const storage = postgresStorage(database.pool);
    await storage.migrate();
    const haul = await live(storage);
    const { rows } = await database.pool.query(
      "select table_name as name from information_schema.tables where table_schema = 'posthorn'",
    );
    expect(rows.length).toBeGreaterThan(4);
    for (const { name } of rows) {
      const table = await database.pool.query(`select t::text as row from posthorn.${name} t`);
      haul.add('the database', table.rows);
    }
    expect(haul.hits()).toEqual([]);
    expect(haul.prints.get('the database')!.join()).toContain('enc:v1:k1:');
  });
});
