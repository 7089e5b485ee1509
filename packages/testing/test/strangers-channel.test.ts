import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Message } from '@posthorn/core/channel';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type Answer,
  type ChannelUnderTest,
  type CheckpointUnderTest,
  channelConformance,
  channelRules,
  checkpointConformance,
  checkpointRules,
  type Received,
  type RecipientAnswer,
  type Skips,
} from '../src/index.js';
import {
  type Chat,
  type Reply,
  type ServiceAnswer,
  TelegraphChannel,
  type TelegraphConfigs,
} from './telegraph-channel.js';

/* A channel that the suites were not written for, with typical bugs that they must notice. */

type Make = (origin: string) => TelegraphChannel;

const ok = '{"ok":true}';
const no = (error: string, more = {}) => JSON.stringify({ ok: false, error, ...more });

type Respond = (response: ServerResponse, quoted: string, seconds: number) => void;

const answers: Record<Answer, Respond> = {
  success: (response) => response.end(ok),
  failure: (response) => response.writeHead(503).end('overloaded'),
  refusal: (response) => response.end(no('MESSAGE_INVALID')),
  rate_limited: (response, _, retry_after) => response.end(no('FLOOD_WAIT', { retry_after })),
  gone: (response) => response.end(no('CHAT_DELETED')),
  echo: (response, quoted) => response.writeHead(500).end(quoted),
  flood: (response) => response.end(ok.padEnd(1024 * 1024)),
  hangup: (response) => response.destroy(),
  never: () => undefined,
};

const bodies: Record<RecipientAnswer, string> = {
  takes: ok,
  failsForNow: 'Bad Gateway',
  refuses: no('KEY_INVALID'),
  rate_limited: no('FLOOD_WAIT', { retry_after: 1 }),
};

interface Post {
  readonly url: string;
  readonly form: URLSearchParams;
}

/** Starts a server for one rule, which answers with `respond`. */
async function serve(respond: (response: ServerResponse, post: Post) => void) {
  const server = createServer(async (request, response) => {
    const body = await text(request).catch(() => undefined);
    if (body !== undefined) respond(response, { url: request.url ?? '', form: new URLSearchParams(body) });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const bot = { token: 'bot_token_5e81c0' };
const chat = (id: string): Chat => ({ id, key: `key_to_${id}_77ab` });

async function openChannel(make: Make): Promise<ChannelUnderTest<TelegraphConfigs>> {
  const received: Received[] = [];
  let how: Answer = 'success';
  let waitSeconds = 1;
  const { origin, close } = await serve((response, { url, form }) => {
    const text = form.get('text') ?? '';
    received.push({ eventId: /evt_\w+/.exec(text)?.[0] ?? '', parts: { text } });
    answers[how](response, `${url} ${form}`, waitSeconds);
  });
  return {
    channel: make(origin),
    configs: [
      { bot, chats: [chat('orders')] },
      { bot, chats: [chat('alerts')] },
    ],
    secrets: [bot.token, chat('orders').key, chat('alerts').key],
    answer(next, seconds = 1) {
      how = next;
      waitSeconds = seconds;
    },
    received: () => received,
    close,
  };
}

async function openCheckpoint(make: Make): Promise<CheckpointUnderTest<TelegraphConfigs>> {
  const recipients = ['orders', 'alerts', 'sales', 'stock'];
  const told = new Map<string, RecipientAnswer>();
  const asked: string[] = [];
  const { origin, close } = await serve((response, { form }) => {
    const id = form.get('chat')!;
    asked.push(id);
    response.end(bodies[told.get(id) ?? 'takes']);
  });
  return {
    channel: make(origin),
    configs: { bot, chats: recipients.map(chat) },
    recipients,
    answer: (id, how) => void told.set(id, how),
    asked: () => asked,
    close,
  };
}

const skip: Skips = {
  'send/the payload reaches the receiver unchanged': 'a chat shows a line of it',
};

const sound: Make = (origin) => new TelegraphChannel(origin);
channelConformance({ runner: { describe, test }, open: () => openChannel(sound), skip });
checkpointConformance({ runner: { describe, test }, open: () => openCheckpoint(sound) });

/** Typical bugs, one each, and the rule that must notice it. */
const bugs: Readonly<Record<string, [typeof TelegraphChannel, string]>> = {
  'forgets that the key of a chat is a secret': [
    class extends TelegraphChannel {
      override readonly secretPaths = [['bot', 'token']];
    },
    'every secret in its configs is covered by secretPaths, and masked where webhooks are read',
  ],
  'sends the first event of a digest': [
    class extends TelegraphChannel {
      protected override eventsOf = ({ event, payload }: Message<TelegraphConfigs>) => [{ event, payload }];
    },
    'a digest sends all its events in one message',
  ],
  'previews a text of its own': [
    class extends TelegraphChannel {
      override async preview(message: Message<TelegraphConfigs>) {
        return [{ name: 'text', type: 'text/plain', text: message.event.type }];
      }
    },
    'a preview shows what is sent, for an event and for a digest',
  ],
  'shows in its preview where it posts to': [
    class extends TelegraphChannel {
      override async preview(message: Message<TelegraphConfigs>) {
        const text = `POST ${this.origin}/bots/${message.configs.bot.token}/messages`;
        return [...(await super.preview(message)), { name: 'request', type: 'text/plain', text }];
      }
    },
    'a preview sends nothing and contains no secret',
  ],
  'takes a limit for a failure': [
    class extends TelegraphChannel {
      protected override read(answer: ServiceAnswer): Reply {
        const reply = super.read(answer);
        return reply.is === 'limited' ? { is: 'broken', why: reply.why, kind: 'http_status' } : reply;
      }
    },
    'a receiver that has met its limit is busy, and nothing has failed',
  ],
  'takes seconds for milliseconds': [
    class extends TelegraphChannel {
      protected override read(answer: ServiceAnswer): Reply {
        const reply = super.read(answer);
        return reply.is === 'limited' ? { ...reply, waitMs: reply.waitMs / 1_000 } : reply;
      }
    },
    'the wait that a receiver asks for is the wait of the verdict',
  ],
  'rejects where the chat is gone': [
    class extends TelegraphChannel {
      protected override read(answer: ServiceAnswer): Reply {
        const reply = super.read(answer);
        return reply.is === 'removed' ? { is: 'refused', why: reply.why } : reply;
      }
    },
    'a receiver that is gone for good is gone, so that its webhook can be paused',
  ],
  'reads the status alone': [
    class extends TelegraphChannel {
      protected override read(answer: ServiceAnswer): Reply {
        const reply = super.read(answer);
        return reply.is === 'refused' ? { is: 'taken' } : reply;
      }
    },
    'a no in the body of an answer is a no, whatever its status says',
  ],
  'forgets which recipients have it': [
    class extends TelegraphChannel {
      protected override writeCheckpoint(): string {
        return '';
      }
    },
    'a second attempt with the checkpoint of the first skips the recipients that have the message',
  ],
};

/** Returns the titles of all rules that a channel breaks, except for those that it skips. */
async function broken(make: Make): Promise<string[]> {
  const titles: string[] = [];
  const prove = async <Under extends { close?(): Promise<void> }>(
    { title, run }: { readonly title: string; run(under: Under): Promise<void> },
    open: () => Promise<Under>,
  ) => {
    const under = await open();
    onTestFinished(async () => under.close?.());
    await run(under).catch(() => titles.push(title));
  };
  const rules = channelRules.filter(({ topic, title }) => !Object.hasOwn(skip, `${topic}/${title}`));
  for (const rule of rules) await prove(rule, () => openChannel(make));
  for (const rule of checkpointRules) await prove(rule, () => openCheckpoint(make));
  return titles;
}

describe('the suites notice that a third-party channel', () => {
  test.each(Object.entries(bugs))('%s', async (_, [Buggy, title]) => {
    expect(await broken((origin) => new Buggy(origin))).toContain(title);
  });
});
