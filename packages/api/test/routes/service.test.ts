import { afterEach, expect, test, vi } from 'vitest';
import type { AnyDispatcher, Route } from '../../src/route.js';
import { routesOf } from '../../src/routes/routes.js';
import { serviceRoutes } from '../../src/routes/service.js';
import { engine } from '../api.js';

afterEach(() => {
  vi.useRealTimers();
});

const routes = routesOf(engine(), { basePath: '', maxWebhooks: 1 });

/** Calls one of the routes that use nothing of the request. */
const answerOf = (service: readonly Route[], path: string) =>
  service.find((route) => route.path === path)!.handle({} as never);

test('the document is generated once', async () => {
  let made = 0;
  const counted: Route = {
    ...routes[0]!,
    get summary() {
      made += 1;
      return 'Counts';
    },
  };
  const service = serviceRoutes(engine(), '', [counted]);
  const { text } = await answerOf(service, '/openapi.json');
  expect((await answerOf(service, '/openapi.json')).text).toBe(text);
  expect(JSON.parse(text as string).openapi).toBe('3.1.0');
  expect(made).toBe(1);
});

test('a storage that does not answer within two seconds is unhealthy, and is not asked again until it answers', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const waiting: ((page: unknown) => void)[] = [];
  const list = () => new Promise((resolve) => waiting.push(resolve));
  const service = serviceRoutes({ events: { list } } as unknown as AnyDispatcher, '', []);
  const health = () =>
    answerOf(service, '/health').then(
      ({ status }) => status,
      ({ status }) => status,
    );

  const first = health();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await first).toBe(503);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await health()).toBe(503);
  expect(waiting).toHaveLength(1);

  waiting[0]!({ items: [], nextCursor: null });
  await vi.advanceTimersByTimeAsync(0);
  const second = health();
  expect(waiting).toHaveLength(2);
  waiting[1]!({ items: [], nextCursor: null });
  expect(await second).toBe(200);
});
