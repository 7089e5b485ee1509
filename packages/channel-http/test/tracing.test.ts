import { fork } from 'node:child_process';
import { once } from 'node:events';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Report } from './instrumented-application.js';

let report: Report;

beforeAll(async () => {
  const application = fork(new URL('./instrumented-application.ts', import.meta.url), {
    execArgv: ['--conditions=@posthorn/source', '--import', 'tsx'],
    cwd: import.meta.dirname,
  });
  [report] = (await Promise.race([
    once(application, 'message'),
    once(application, 'exit').then(([code]) => Promise.reject(new Error(`it ended with ${code}`))),
  ])) as [Report];
});

/** The spans of a delivery. */
const names = [
  ...['connection', 'content-length', 'content-type', 'host', 'user-agent'],
  ...['webhook-id', 'webhook-signature', 'webhook-timestamp'],
];

describe('with OpenTelemetry in the application', () => {
  test("the application's own requests carry its trace and its baggage", () => {
    expect(report.own.baggage).toBe('user.email=ada%40example.com');
    expect(report.own.traceparent).toContain(report.traces[0]);
  });

  test.each([
    ['sent right after its event is dispatched', 2],
    ['claimed by a worker that started while a request was served', 1],
    ['drained while a request was served', 1],
    ['tried again', 2],
    ['a test of a webhook', 1],
  ])('no trace or baggage is sent with a delivery that is %s', (way, sent) => {
    const received = report.deliveries[way]!;
    expect(received).toHaveLength(sent);
    for (const headers of received) expect(Object.keys(headers).sort()).toEqual(names);
    expect(JSON.stringify(received)).not.toContain('ada');
  });

  test('deliveries are not part of the trace of a served request', () => {
    expect(report.recorded).toHaveLength(7);
    expect(report.recorded.filter((trace) => report.traces.includes(trace))).toEqual([]);
  });
});
