import { spawn } from 'node:child_process';
import { root } from './install.mjs';

/** Runs `node …args`. Resolves to its exit code and its output, without colours. `cwd` is the repository by default. */
export function node(args, { cwd = root, env = {} } = {}) {
  return new Promise((settle, reject) => {
    const child = spawn(process.execPath, args, {
      cwd,
      env: { ...process.env, NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', reject).on('close', (code) => settle({ code: code ?? 1, output }));
  });
}

/** Runs each `[args, options]`, two at a time, and resolves to the results in the same order. */
export async function nodes(commands) {
  const results = [];
  const waiting = [...commands.entries()];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [at, [args, options]] = next;
      results[at] = await node(args, options);
    }
  };
  await Promise.all([work(), work()]);
  return results;
}
