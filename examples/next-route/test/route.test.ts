import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { customer } from '@posthorn/example-receiver';
import { until } from '@posthorn/testing';
import { expect, onTestFinished, test } from 'vitest';

const home = join(import.meta.dirname, '..');
const bin = join(home, 'node_modules/next/dist/bin/next');
const base = '/v1/organizations';

test('the route answers as the API does, for every method', async () => {
  const keys = await import('../app/keys/route.js');
  const made = await keys.POST(new Request('http://a/keys', { method: 'POST', body: '{"tenant":"acme"}' }));
  const { key } = (await made.json()) as { key: string };
  const route = await import('../app/v1/organizations/[...path]/route.js');
  const call = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object) =>
    route[method](
      new Request(`http://a${base}${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      }),
    );
  const channels = [{ channel: 'webhook', configs: { url: 'http://127.0.0.1:4000/hooks' } }];
  const webhook = { webhook_name: 'Mine', event_types: ['order.*'], channels };
  const created = await call('POST', '/webhooks', webhook);
  expect(created.status).toBe(201);
  const { webhook_id: id } = (await created.json()) as { webhook_id: string };
  const renamed = { ...webhook, webhook_name: 'Ours' };
  expect((await call('PUT', `/webhooks/${id}`, renamed)).status).toBe(200);
  expect(await (await call('GET', '/webhooks')).json()).toMatchObject([{ webhook_name: 'Ours' }]);
  expect((await call('DELETE', `/webhooks/${id}`)).status).toBe(204);
});

/** Copies the application to a folder where Next may write; our packages are those of this repository. */
function application(): string {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-next-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  for (const file of ['app', 'posthorn.ts', 'instrumentation.ts', 'package.json']) {
    cpSync(join(home, file), join(folder, file), { recursive: true });
  }
  symlinkSync(join(home, 'node_modules'), join(folder, 'node_modules'), 'junction');
  const config = `export default {
    webpack(config) {
      config.resolve.extensionAlias = { '.js': ['.ts', '.js'] };
      const ours = ({ request }, done) => request.startsWith('@posthorn/') ? done(null, 'import ' + request) : done();
      config.externals = [ours, config.externals].flat();
      return config;
    },
  };`;
  writeFileSync(join(folder, 'next.config.mjs'), config);
  return folder;
}

/** Starts Next with that application, and resolves to its origin. */
async function next(): Promise<string> {
  const args = [bin, 'dev', '--webpack', '--port', '0', '--hostname', '127.0.0.1'];
  const sources = `--conditions=@posthorn/source --import ${import.meta.resolve('tsx')}`;
  const env = {
    ...process.env,
    NODE_ENV: 'development',
    NODE_OPTIONS: sources,
    NEXT_TELEMETRY_DISABLED: '1',
  };
  const server = spawn(process.execPath, args, { cwd: application(), env: env as NodeJS.ProcessEnv });
  onTestFinished(async () => {
    const isOver = server.exitCode !== null ? undefined : once(server, 'exit');
    server.kill();
    await isOver;
  });
  let printed = '';
  for (const output of [server.stdout, server.stderr]) {
    output.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk;
    });
  }
  await until(() => /Ready in/.test(printed) || server.exitCode !== null, { timeoutMs: 100_000 });
  const [origin] = /http:\/\/127\.0\.0\.1:\d+/.exec(printed) ?? [];
  if (!origin) throw new Error(printed);
  return origin;
}

test.skipIf(!existsSync(bin))(
  'in Next itself a customer makes a webhook over the API, and hears of an order (skipped where Next is not installed)',
  async () => {
    const origin = await next();
    const post = (path: string, body: object) =>
      fetch(origin + path, { method: 'POST', body: JSON.stringify(body) });
    const { key } = (await (await post('/keys', { tenant: 'acme' })).json()) as { key: string };
    const acme = await customer();
    onTestFinished(acme.close);
    await acme.subscribe(origin + base, key, ['order.*']);
    expect((await post('/orders', { tenant: 'acme', id: 'o1' })).status).toBe(201);
    await until(() => acme.received.length === 1, { timeoutMs: 20_000 });
    expect(acme.received).toMatchObject([{ event_type: 'order.placed', metadata: { id: 'o1' } }]);
    expect((await fetch(`${origin}${base}/webhooks`)).status).toBe(401);
  },
  200_000,
);
