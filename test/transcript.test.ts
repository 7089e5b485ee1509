import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const hasTools = ['bash', 'curl'].every((tool) => spawnSync(tool, ['--version']).status === 0);

/** Starts `npm start -- --api` on a free port. Resolves to the process and the variables that it prints to export. */
async function started() {
  const args = [join(root, 'scripts/run.mjs'), 'start', '--api'];
  const server = spawn(process.execPath, args, { cwd: root, env: { ...process.env, PORT: '0' } });
  onTestFinished(() => void server.kill());
  let printed = '';
  for await (const chunk of server.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    printed += chunk;
    if (/^export KEY=.*\n/m.test(printed)) break;
  }
  server.stdout.resume();
  const exported = Object.fromEntries(
    [...printed.matchAll(/^export (\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]),
  ) as { API: string; KEY: string };
  return { server, exported };
}

/** The commands of the page, each with its expected output. */
function transcript(): { readonly command: string; readonly printed: string }[] {
  const page = readFileSync(join(root, 'README.md'), 'utf8');
  const [, block = ''] = /```console\n([\s\S]*?)```/.exec(page) ?? [];
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((entry) => {
      const lines = entry.trimEnd().split('\n');
      // A command continues while a quote is open.
      let at = 1;
      while ((lines.slice(0, at).join('\n').match(/'/g)?.length ?? 0) % 2 === 1) at++;
      return { command: lines.slice(0, at).join('\n'), printed: lines.slice(at).join('\n') };
    });
}

/** Matches expected output, in which `…` stands for any text. */
const form = (printed: string): RegExp =>
  new RegExp(
    `^${printed
      .split('…')
      .map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
      .join('.*')}$`,
  );

const run = promisify(execFile);

/**
 * Runs a command in bash. A delivery takes a moment, so a command that only reads is repeated until its output matches.
 */
async function printedBy(script: string, wanted: RegExp, env: NodeJS.ProcessEnv): Promise<string> {
  const writes = / -(?:d|X) /.test(script);
  const end = performance.now() + 20_000;
  for (;;) {
    const { stdout } = await run('bash', ['-euc', script], { env });
    const printed = stdout.trimEnd();
    if (writes || wanted.test(printed) || performance.now() > end) return printed;
  }
}

test.skipIf(!hasTools)(
  "the README's transcript prints what it says, against npm start -- --api (skipped without bash and curl)",
  async () => {
    const { server, exported } = await started();
    const env = { ...process.env, ...exported };
    const steps = transcript();
    expect(steps.length).toBeGreaterThan(6);
    const settings: string[] = [];
    for (const { command: asPrinted, printed } of steps) {
      const command = asPrinted.replaceAll('127.0.0.1:4100', new URL(exported.API).host);
      if (printed === '') {
        settings.push(command);
        continue;
      }
      const wanted = form(printed);
      const [, name] = /^(\w+)=\$\(/.exec(command) ?? [];
      const answer = await printedBy([...settings, command].join('\n'), wanted, env);
      expect(answer, command).toMatch(wanted);
      // The answer that a command stores for later ones is kept, so that it is not requested twice.
      if (name) settings.push(`${name}=${answer}`);
    }
    const isOver = once(server, 'exit');
    server.kill('SIGTERM');
    expect(await isOver).toEqual([0, null]);
  },
);
