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
 * An application with OpenTelemetry that sends deliveries while it serves a request, and reports the trace headers that
 * reach the receiver. It runs in a process of its own, because OpenTelemetry is global to a process.
 */

/** The report to the parent process. */
export interface Report {
  /** The trace of every served request. */
  readonly traces: readonly string[];
  /** Headers of the application's own requests. */
  readonly own: IncomingHttpHeaders;
  /** Headers of each delivery, by the way it was sent. */
  readonly deliveries: Readonly<Record<string, readonly IncomingHttpHeaders[]>>;
  /** The traces that contain deliveries. */
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

/** Runs a function while the application serves a request. */
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
  const channels = [{ channel: 'webhook', configs: { url } }] as const;
  const webhook = await posthorn.webhooks.create({ name: 'orders', eventTypes: ['*'], channels });
  return { posthorn, webhookId: webhook.id };
}

type Application = Awaited<ReturnType<typeof applicationOf>>;

const ways: Readonly<Record<string, (application: Application) => Promise<unknown>>> = {
  async 'sent right after its event is dispatched'({ posthorn }) {
    posthorn.start();
    await serving(() => posthorn.dispatch('order.placed', { n: 1 }));
    await until(() => received.length === 1);
    // Also over the kept connection.
    await serving(() => posthorn.dispatch('order.placed', { n: 2 }));
    await until(() => received.length === 2);
  },
  async 'claimed by a worker that started while a request was served'({ posthorn }) {
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
  // From here on, this subscriber is called after all others.
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
