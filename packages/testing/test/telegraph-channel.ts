import { type IncomingMessage, request } from 'node:http';
import type { Channel, FailureKind } from '@posthorn/core';
import type { DigestedEvent, Message, PreviewPart, Verdict } from '@posthorn/core/channel';

export interface Chat {
  readonly id: string;
  /** Grants a bot access to the chat. */
  readonly key: string;
}

export interface TelegraphConfigs {
  readonly bot: { readonly token: string };
  readonly chats: readonly Chat[];
}

/** The answer of the service about one chat. */
export type Reply =
  | { readonly is: 'taken' }
  | { readonly is: 'refused' | 'removed'; readonly why: string }
  | { readonly is: 'broken'; readonly why: string; readonly kind: FailureKind }
  | { readonly is: 'limited'; readonly why: string; readonly waitMs: number };

export interface ServiceAnswer {
  readonly status: number;
  readonly text: string;
}

type Issue = { readonly message: string; readonly path: readonly string[] };

const keptBytes = 8 * 1024;

/**
 * A chat's bot as a third party might write it: a class, on node:http, with a form and a schema by hand. The service
 * answers 200 to everything that it understands, and reports the result in JSON.
 */
export class TelegraphChannel implements Channel<TelegraphConfigs> {
  readonly type: string = 'telegraph';
  readonly supportsDigests = true;
  readonly secretPaths: readonly (readonly string[])[] = [
    ['bot', 'token'],
    ['chats', '*', 'key'],
  ];
  readonly config: Channel<TelegraphConfigs>['config'] = {
    '~standard': {
      version: 1,
      vendor: 'telegraph',
      validate(value) {
        const issues = issuesOf(value);
        return issues.length > 0 ? { issues } : { value: value as TelegraphConfigs };
      },
    },
  };
  protected readonly origin: string;

  constructor(origin: string) {
    this.origin = origin;
  }

  async send(message: Message<TelegraphConfigs>, signal: AbortSignal): Promise<Verdict> {
    const through = this.readCheckpoint(message.checkpoint);
    const replies: Reply[] = [];
    let last: ServiceAnswer | undefined;
    for (const chat of message.configs.chats) {
      const known = through.get(chat.id);
      if (known !== undefined) {
        replies.push(known ? { is: 'taken' } : { is: 'refused', why: 'was refused before' });
        continue;
      }
      try {
        last = await this.post(message, chat, signal);
        const reply = this.read(last);
        replies.push(reply);
        if (reply.is === 'taken') through.set(chat.id, true);
        if (reply.is === 'refused' || reply.is === 'removed') through.set(chat.id, false);
      } catch {
        const kind = signal.aborted ? 'timeout' : 'reset';
        replies.push({ is: 'broken', why: 'the connection ended', kind });
      }
    }
    return this.sumUp(replies, last, this.writeCheckpoint(through));
  }

  async preview(message: Message<TelegraphConfigs>): Promise<readonly PreviewPart[]> {
    return [{ name: 'text', type: 'text/plain', text: this.textOf(message) }];
  }

  protected eventsOf({ event, payload, digest }: Message): readonly DigestedEvent[] {
    return digest ?? [{ event, payload }];
  }

  protected textOf(message: Message): string {
    return this.eventsOf(message)
      .map(({ event }) => `${event.type} (${event.id})`)
      .join('\n');
  }

  protected post(
    message: Message<TelegraphConfigs>,
    chat: Chat,
    signal: AbortSignal,
  ): Promise<ServiceAnswer> {
    const { token } = message.configs.bot;
    const form = new URLSearchParams({ chat: chat.id, key: chat.key, text: this.textOf(message) });
    return new Promise((resolve, reject) => {
      const outgoing = request(
        `${this.origin}/bots/${token}/messages`,
        { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, signal },
        (incoming) => this.collect(incoming).then(resolve, reject),
      );
      outgoing.on('error', reject);
      outgoing.end(form.toString());
    });
  }

  private async collect(incoming: IncomingMessage): Promise<ServiceAnswer> {
    let text = '';
    for await (const chunk of incoming.setEncoding('utf8')) {
      text += chunk;
      if (text.length >= keptBytes) break;
    }
    return { status: incoming.statusCode ?? 0, text: text.slice(0, keptBytes) };
  }

  protected read({ status, text }: ServiceAnswer): Reply {
    if (status >= 500) return { is: 'broken', why: `answered ${status}`, kind: 'http_status' };
    const { ok, error, retry_after } = parsed(text);
    if (ok === true) return { is: 'taken' };
    if (error === 'FLOOD_WAIT') {
      return { is: 'limited', why: 'too many messages', waitMs: Number(retry_after) * 1_000 };
    }
    if (error === 'CHAT_DELETED') return { is: 'removed', why: 'the chat was deleted' };
    if (typeof error === 'string') return { is: 'refused', why: 'the service refused' };
    return { is: 'broken', why: 'the service sent an invalid answer', kind: 'protocol' };
  }

  protected sumUp(replies: readonly Reply[], last: ServiceAnswer | undefined, checkpoint: string): Verdict {
    const report = last && { status: last.status, response: last.text };
    for (const reply of replies) {
      if (reply.is === 'broken')
        return { outcome: 'failed', kind: reply.kind, message: reply.why, ...report, checkpoint };
    }
    for (const reply of replies) {
      if (reply.is === 'limited')
        return {
          outcome: 'rate_limited',
          retryAfterMs: reply.waitMs,
          message: reply.why,
          ...report,
          checkpoint,
        };
    }
    if (replies.some(({ is }) => is === 'taken')) return { outcome: 'delivered', ...report };
    const outcome = replies.every(({ is }) => is === 'removed') ? 'gone' : 'rejected';
    return { outcome, kind: 'http_status', message: 'no chat accepts it', ...report };
  }

  protected readCheckpoint(checkpoint = ''): Map<string, boolean> {
    const entries = checkpoint.matchAll(/([+-])(\w+)/g);
    return new Map(Array.from(entries, ([, sign, id]) => [id!, sign === '+']));
  }

  protected writeCheckpoint(through: ReadonlyMap<string, boolean>): string {
    return Array.from(through, ([id, has]) => `${has ? '+' : '-'}${id}`).join(' ');
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function* fieldIssues(
  value: unknown,
  path: readonly string[],
  checks: Readonly<Record<string, (field: unknown, path: readonly string[]) => Iterable<Issue>>>,
): Iterable<Issue> {
  if (!isObject(value)) return yield { message: 'must be an object', path };
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(checks, name)) yield { message: 'is no field', path: [...path, name] };
  }
  for (const [name, check] of Object.entries(checks)) yield* check(value[name], [...path, name]);
}

function* wordIssues(value: unknown, path: readonly string[]): Iterable<Issue> {
  if (typeof value !== 'string' || !/^\w+$/.test(value)) yield { message: 'must be a word', path };
}

function* chatIssues(value: unknown, path: readonly string[]): Iterable<Issue> {
  if (!Array.isArray(value) || value.length === 0) return yield { message: 'must name a chat', path };
  for (const [i, chat] of value.entries()) {
    yield* fieldIssues(chat, [...path, String(i)], { id: wordIssues, key: wordIssues });
  }
}

const issuesOf = (value: unknown): Issue[] => [
  ...fieldIssues(value, [], {
    bot: (bot, path) => fieldIssues(bot, path, { token: wordIssues }),
    chats: chatIssues,
  }),
];
