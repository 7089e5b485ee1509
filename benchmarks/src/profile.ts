import { Session } from 'node:inspector/promises';

/** The shares of the time of `run`, in [0, 1]: by our packages, undici, pg, parts of Node, and garbage collection. */
export async function profile(run: () => Promise<void>): Promise<Record<string, number>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
  await run();
  const { profile: measured } = await session.post('Profiler.stop');
  session.disconnect();

  const parts = new Map<string, number>();
  const nodes = new Map(measured.nodes.map((node) => [node.id, node.callFrame]));
  let total = 0;
  for (const [i, id] of (measured.samples ?? []).entries()) {
    const { functionName, url } = nodes.get(id)!;
    const micros = measured.timeDeltas?.[i] ?? 0;
    if (functionName === '(idle)') continue;
    const part = partOf(functionName, url);
    parts.set(part, (parts.get(part) ?? 0) + micros);
    total += micros;
  }
  return Object.fromEntries(
    [...parts].sort((a, b) => b[1] - a[1]).map(([part, micros]) => [part, micros / total]),
  );
}

function partOf(functionName: string, url: string): string {
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (/stringify|toISOString|payloadText|^write$/.test(functionName) && !url.includes('/undici/'))
    return 'serialise';
  const ours = /packages\/([a-z-]+)\//.exec(url)?.[1];
  if (ours) return ours;
  if (url.includes('/undici/')) return 'undici';
  if (/\/pg(-[a-z]+)?\//.test(url)) return 'pg';
  if (/writev/.test(functionName)) return 'sockets';
  if (url.startsWith('node:internal/crypto') || /hmac|digest|update/i.test(functionName)) return 'sign';
  if (/timers/.test(url)) return 'timers';
  if (/abort_controller|event_target/.test(url)) return 'abort signals';
  if (/task_queues|promises|async_hooks/.test(url) || functionName === 'runMicrotasks') return 'promises';
  if (/net|stream|buffer/.test(url) || /writev|readStart|write(Latin1|Utf8)String/.test(functionName))
    return 'sockets';
  return 'the rest of Node';
}
