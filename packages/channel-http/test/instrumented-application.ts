import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { context, propagation, trace } from '@opentelemetry/api';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { createDispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { until } from '@posthorn/testing';
import { httpChannel } from '../src/index.js';

/*
 * An application that OpenTelemetry instruments, and what reaches a receiver of what it sends while it serves a request.
 * A process of its own: there is one OpenTelemetry for all of it.
 */

/** What the parent is told. */
export interface Report {
  /** The trace of every request that was served. */
  readonly traces: readonly string[];
  /** Of what the application sent by itself. */
  readonly own: IncomingHttpHeaders;
  /** Of each delivery, by the way that it took. */
  readonly deliveries: Readonly<Record<string, readonly IncomingHttpHeaders[]>>;
  /** The traces in which deliveries were recorded. */
  readonly recorded: readonly string[];
}

const spans = new InMemorySpanExporter();
const undici = new UndiciInstrumentation();
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).register();
registerInstrumentations({ instrumentations: [undici, new HttpInstrumentation()] });

let received: IncomingHttpHeaders[] = [];
let status = 204;
const receiver = createServer((request, response) => {
  received.push(request.headers);
  request.resume();
  request.on('end', () => response.writeHead(status).end());
}).listen(0, '127.0.0.1');
await once(receiver, 'listening');
const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;

const traces: string[] = [];

/** Does it while a request of a user is served. */
function serving<T>(work: () => Promise<T>): Promise<T> {
  const baggage = propagation.createBaggage({ 'user.email': { value: 'ada@example.com' } });
  return context.with(propagation.setBaggage(context.active(), baggage), () =>
    trace.getTracer('application').startActiveSpan('GET /orders', async (span) => {
      traces.push(span.spanContext().traceId);
      try {
        return await work();
      } finally {
        span.end();
      }
    }),
  );
}

async function applicationOf() {
  const posthorn = createDispatcher({
    storage: memoryStorage(),
    channels: [httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } })],
    retry: { schedule: ['20ms', '20ms', '20ms'] },
    pollInterval: '20ms',
  });
  const channels = [{ channel: 'webhook', configs: { url } }];
  const webhook = await posthorn.webhooks.create({ name: 'orders', eventTypes: ['*'], channels });
  return { posthorn, webhookId: webhook.id };
}

type Application = Awaited<ReturnType<typeof applicationOf>>;

const ways: Readonly<Record<string, (application: Application) => Promise<unknown>>> = {
  async 'handed over as its event is dispatched'({ posthorn }) {
    posthorn.start();
    await serving(() => posthorn.dispatch('order.placed', { n: 1 }));
    await until(() => received.length === 1);
    // Over the connection that was kept, too.
    await serving(() => posthorn.dispatch('order.placed', { n: 2 }));
    await until(() => received.length === 2);
  },
  async 'claimed by a worker that was started while a request was served'({ posthorn }) {
    await serving(() => posthorn.dispatch('order.placed', { n: 1 }));
    await serving(async () => posthorn.start());
    await until(() => received.length === 1);
  },
  async 'drained while a request was served'({ posthorn }) {
    await posthorn.dispatch('order.placed', { n: 1 });
    await serving(() => posthorn.drain());
  },
  async 'tried again'({ posthorn }) {
    status = 500;
    posthorn.start();
    await serving(() => posthorn.dispatch('order.placed', { n: 1 }));
    await until(() => received.length === 1);
    status = 204;
    await until(() => received.length === 2);
  },
  async 'a test of a webhook'({ posthorn, webhookId }) {
    await serving(() => posthorn.webhooks.test(webhookId));
  },
};

await serving(() => fetch(url));
const [own] = received;
spans.reset();

const deliveries: Record<string, readonly IncomingHttpHeaders[]> = {};
for (const [way, take] of Object.entries(ways)) {
  received = [];
  const application = await serving(applicationOf);
  await take(application);
  await application.posthorn.stop();
  deliveries[way] = received;
  // From here on it hears of requests after everybody else, and not before.
  undici.disable();
  undici.enable();
}

const recorded = spans
  .getFinishedSpans()
  .filter(({ name }) => name === 'POST')
  .map((span) => span.spanContext().traceId);
process.send!({ traces, own: own!, deliveries, recorded } satisfies Report, undefined, undefined, () =>
  process.exit(),
);
