import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const run = promisify(execFile);

/** Runs a program of the repository and resolves to its output. Rejects if its exit code is not 0. */
async function output(file: string, ...more: string[]): Promise<string> {
  const args = ['--conditions=@posthorn/source', '--import', 'tsx', join(root, file), ...more];
  const { stdout } = await run(process.execPath, args, { cwd: root, timeout: 60_000 });
  return stdout;
}

test('the quickstart delivers every event, verified by the receiver, and retries what was refused', async () => {
  const printed = await output('examples/quickstart/src/main.ts');
  expect(printed).toContain('329 GitHub events to 2 webhooks');
  expect(printed).toMatch(
    /✓ the receiver verified every signature and got all \d{3} events; it had refused [1-9]\d* at first/,
  );
  expect(printed).toMatch(/dead +│ 0 /);
});

test('notify-team retries only what failed, and the previews in the docs are what it sends', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-previews-'));
  try {
    const printed = await output('examples/notify-team/src/main.ts', '--previews', folder);
    const rows = [...printed.matchAll(/^│ \d+ .*│ '(.*?)' +│ '(.*?)' +│ (\d+) +│ '(.*?)' +│$/gm)];
    expect(
      rows.map(([, event, channel, attempts, result]) => [event, channel, Number(attempts), result]),
    ).toEqual([
      ['issues.opened', 'slack', 3, 'delivered after 2 × 500 rollup_error'],
      ['issues.opened', 'email', 1, 'delivered'],
      ['issues.opened', 'sms', 1, 'delivered'],
      ['pull_request.opened', 'slack', 1, 'delivered'],
      ['pull_request.opened', 'email', 1, 'delivered'],
      ['pull_request.opened', 'sms', 1, 'delivered'],
      ['release.published', 'slack', 1, 'delivered'],
      ['release.published', 'email', 1, 'delivered'],
      ['release.published', 'sms', 1, 'delivered'],
      ['code_scanning_alert.created', 'slack', 4, 'dead after 4 × 500 rollup_error'],
      ['code_scanning_alert.created', 'sms', 1, 'delivered'],
      ['issue_comment.created', 'email', 1, 'delivered'],
      ['issue_comment.edited', 'email', 1, 'delivered'],
      ['commit_comment.created', 'email', 1, 'delivered'],
      ['pull_request_review_comment.created', 'email', 1, 'delivered'],
    ]);
    expect(printed).toContain('Slack took 3 messages, the mail server 4 mails, Twilio 4 texts');
    expect(printed).toContain('on call got a text when Slack had failed 3 times');
    expect(printed).toContain('no message came twice');
    for (const page of ['email.html', 'slack.html']) {
      const committed = readFileSync(join(root, 'docs/images/sources', page), 'utf8');
      expect(readFileSync(join(folder, page), 'utf8')).toBe(committed);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the custom channel pushes the text of its template', async () => {
  const lines = (await output('examples/custom-channel/src/main.ts')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line)).toSorted((a, b) => (a.message < b.message ? -1 : 1))).toEqual([
    { topic: 'orders-5b1f7c', title: 'Shop floor', message: 'order.placed: 42 €' },
    { topic: 'orders-5b1f7c', title: 'Shop floor', message: 'order.shipped: 42 €' },
  ]);
});

test('the custom storage keeps what is delivered from one run to the next', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-custom-storage-'));
  try {
    const run = () => output('examples/custom-storage/src/main.ts', join(folder, 'posthorn.jsonl'));
    const line = String.raw`dlv_\w{32} {2}object\.created {2}delivered after 1 attempt\n`;
    expect(await run()).toMatch(new RegExp(`^${line}$`));
    expect(await run()).toMatch(new RegExp(`^${line}${line}$`));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('PGlite in a folder keeps deliveries from one run to the next', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-embedded-'));
  try {
    expect(await output('examples/embedded/src/main.ts', folder)).toContain('in the folder: 1 deliveries');
    expect(await output('examples/embedded/src/main.ts', folder)).toContain('in the folder: 2 deliveries');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the README's first program runs as printed", async () => {
  const code = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1] ?? '';
  const folder = join(root, 'examples/quickstart/node_modules/.cache');
  const file = join(folder, 'readme.mts');
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, code);
  const printed = await output('examples/quickstart/node_modules/.cache/readme.mts').finally(() =>
    rmSync(file),
  );
  expect(JSON.parse(printed)).toMatchObject({
    event_type: 'order.placed',
    metadata: { orderId: 'o1', total: 42 },
  });
});
