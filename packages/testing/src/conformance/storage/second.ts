import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PosthornError, type StorageAdapter } from '@posthorn/core';
import type { OpenedStorage, SecondProcess, StorageUnderTest } from './harness.js';
import type { Answer, Request } from './serve-storage.js';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A process that serves storages. It holds nothing up: it is waited for only while it owes an answer. */
class StorageProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #requests = 0;

  constructor({ module, execArgv }: SecondProcess, onEnd: () => void) {
    this.#child = fork(pathOf(module), {
      // The form that keeps instants and Maps.
      serialization: 'advanced',
      ...(execArgv && { execArgv: [...execArgv] }),
    });
    this.#child.on('message', (answer: Answer) => this.#settle(answer));
    this.#child.on('error', (error) => this.#end(error.message));
    this.#child.once('exit', (code, signal) => {
      onEnd();
      this.#end(`it ended with ${signal ?? code}`);
    });
    this.#hold();
  }

  ask(request: Request): Promise<unknown> {
    const id = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#hold();
      this.#child.send({ id, ...request }, (error) => {
        if (error) this.#settle({ id, error: { code: undefined, message: error.message } });
      });
    });
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.ref();
    this.#child.kill('SIGKILL');
    await ended;
  }

  #settle({ id, value, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    this.#hold();
    if (!error) waiting?.resolve(value);
    else
      waiting?.reject(error.code ? new PosthornError(error.code, error.message) : new Error(error.message));
  }

  #end(why: string): void {
    for (const id of [...this.#waiting.keys()]) {
      this.#settle({ id, error: { code: undefined, message: `the process of the second storage: ${why}` } });
    }
  }

  #hold(): void {
    const how = this.#waiting.size > 0 ? 'ref' : 'unref';
    this.#child[how]();
    this.#child.channel?.[how]();
  }
}

/** Starting one takes longer than most rules do, so the rules of a harness share it. */
const processes = new Map<string, StorageProcess>();
let handles = 0;

function processOf(second: SecondProcess): StorageProcess {
  const key = JSON.stringify([pathOf(second.module), second.execArgv]);
  const known = processes.get(key);
  if (known) return known;
  const started: StorageProcess = new StorageProcess(second, () => {
    if (processes.get(key) === started) processes.delete(key);
  });
  processes.set(key, started);
  return started;
}

const pathOf = (module: URL | string): string =>
  module instanceof URL || module.startsWith('file:') ? fileURLToPath(module) : module;

/** The storage of another process, opened there when it is first asked for something. */
function handleOf(second: SecondProcess, like: StorageAdapter<unknown>) {
  let open:
    | { readonly process: StorageProcess; readonly handle: number; isOpen: Promise<unknown> }
    | undefined;
  let advancedMs = 0;

  async function opened() {
    if (!open) {
      const process = processOf(second);
      const handle = ++handles;
      const isOpen = process
        .ask({ ask: 'open', handle, data: second.data })
        .then(() => process.ask({ ask: 'advance', handle, ms: advancedMs }));
      open = { process, handle, isOpen };
    }
    await open.isOpen;
    return open;
  }

  async function call(part: string, method: string, args: readonly unknown[]): Promise<unknown> {
    const { process, handle } = await opened();
    return process.ask({ ask: 'call', handle, part, method, args });
  }

  const partOf = (part: string) =>
    new Proxy(
      {},
      {
        get:
          (_, method: string) =>
          (...args: unknown[]) =>
            call(part, method, args),
      },
    );
  const parts = ['webhooks', 'deliveries', 'log', 'documents'] as const;
  const storage = Object.fromEntries(parts.filter((part) => like[part]).map((part) => [part, partOf(part)]));
  return {
    storage: { ...like, ...storage } as StorageAdapter<unknown>,
    async advance(ms: number) {
      advancedMs += ms;
      if (open) await open.isOpen.then(() => open?.process.ask({ ask: 'advance', handle: open.handle, ms }));
    },
    async kill() {
      await (open?.process ?? processOf(second)).kill();
      open = undefined;
    },
    async close() {
      await open?.process.ask({ ask: 'close', handle: open.handle }).catch(() => {});
    },
  };
}

/** Whether it names another process, and is no storage itself. */
const isProcess = (second: OpenedStorage['second']): second is SecondProcess =>
  second !== undefined && 'module' in second;

/** Runs a rule with the second handle in the process that the harness names, if it names one. */
export async function withSecond(
  opened: OpenedStorage,
  rule: (under: StorageUnderTest) => Promise<void>,
): Promise<void> {
  const { second, ...others } = opened;
  if (!isProcess(second)) {
    await rule({ ...others, ...(second && { second }) });
    return;
  }
  const handle = handleOf(second, opened.storage);
  try {
    await rule({
      ...others,
      second: handle.storage,
      killSecond: handle.kill,
      async advance(ms) {
        await opened.advance(ms);
        await handle.advance(ms);
      },
    });
  } finally {
    await handle.close();
  }
}
