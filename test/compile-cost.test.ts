import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { root } from './files.js';

const path = join(root, 'test/application.ts');

/** An application with the channels of this repository, one of its own, and a catalog of 500 event types. */
const application = `
import { httpChannel } from '../packages/channel-http/src/index.js';
import { slackChannel } from '../packages/channel-slack/src/index.js';
import { emailChannel } from '../packages/channel-email/src/index.js';
import { smsChannel, type SmsProvider } from '../packages/channel-sms/src/index.js';
import { teamsChannel } from '../packages/channel-teams/src/index.js';
import { discordChannel } from '../packages/channel-discord/src/index.js';
import { createDispatcher, defineEvents, functionChannel } from '../packages/core/src/index.js';
import { memoryStorage } from '../packages/storage-memory/src/index.js';
import type { StandardSchemaV1 } from '../packages/core/node_modules/@standard-schema/spec/dist/index.js';

declare const schema: StandardSchemaV1<{ readonly id: string }>;
declare const provider: SmsProvider;
const { webhooks, dispatch } = createDispatcher({
  storage: memoryStorage(),
  channels: [
    httpChannel(),
    slackChannel(),
    emailChannel({ transport: 'smtp://localhost', from: 'posthorn@example.com' }),
    smsChannel({ provider }),
    teamsChannel(),
    discordChannel(),
    functionChannel('index', () => {}),
  ],
  events: defineEvents({
${Array.from({ length: 500 }, (_, n) => `    'app.area${n % 20}.thing${n}.changed': schema,`).join('\n')}
  }),
});
const url = 'https://example.com';
const all = { name: 'w', eventTypes: ['app.area1.*', '*.*.thing499.changed', 'app.area0.thing0.changed'] } as const;
void dispatch('app.area19.thing499.changed', { id: '1' });
void webhooks.create({
  ...all,
  channels: [
    { channel: 'webhook', configs: { url, timeout: 5 } },
    { channel: 'slack', configs: { webhook_url: url } },
    { channel: 'email', configs: { to_addresses: ['a@example.com'] }, digest: { window: '10m' } },
    { channel: 'sms', configs: { phone_numbers: ['+15005550006'] } },
    { channel: 'teams', configs: { workflow_url: url } },
    { channel: 'discord', configs: { webhook_url: url } },
    { channel: 'index', configs: {}, onlyAfter: { channel: 'slack', failedAttempts: 2 } },
  ],
});
void dispatch('app.area18.thing499.changed', { id: '1' }); // wrong
void dispatch('app.area19.thing499.changed', { id: 1 }); // wrong
void webhooks.create({ ...all, eventTypes: ['app.area20.*'], channels: [] }); // wrong
void webhooks.create({ ...all, channels: [{ channel: 'webhok', configs: { url } }] }); // wrong
void webhooks.create({ ...all, channels: [{ channel: 'webhook', configs: { uri: url } }] }); // wrong
void webhooks.create({ ...all, channels: [{ channel: 'webhook', configs: { url, header: {} } }] }); // wrong
void webhooks.create({ ...all, channels: [{ channel: 'slack', configs: { webhook: url } }] }); // wrong
void webhooks.create({ ...all, channels: [{ channel: 'email', configs: { to: ['a@example.com'] } }] }); // wrong
void webhooks.create({ ...all, channels: [{ channel: 'sms', configs: { phones: [] } }] }); // wrong
void webhooks.create({ ...all, channels: [{ channel: 'teams', configs: { webhook_url: url } }] }); // wrong
void webhooks.create({ ...all, channels: [{ channel: 'discord', configs: { url } }] }); // wrong
void webhooks.create({ ...all, channels: [{ channel: 'index', configs: { url } }] }); // wrong
`;

function compiled() {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === path || fileExists(name);
  host.getSourceFile = (name, how) =>
    name === path ? ts.createSourceFile(name, application, how) : getSourceFile(name, how);
  const program = ts.createProgram([path], options, host);
  const file = program.getSourceFile(path)!;
  const faults = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
  const lines = faults.map(({ start }) => file.getLineAndCharacterOfPosition(start ?? 0).line);
  return { lines: [...new Set(lines)], instantiations: program.getInstantiationCount() };
}

test('500 event types and seven channels are checked, each mistake at its line, with fewer than 40,000 instantiations of types', () => {
  const { lines, instantiations } = compiled();
  const wrong = application.split('\n').flatMap((line, at) => (line.endsWith('// wrong') ? [at] : []));
  expect(lines).toEqual(wrong);
  // About 21,000. The compiler gives up at 5,000,000 for one expression.
  expect(instantiations).toBeLessThan(40_000);
}, 60_000);
