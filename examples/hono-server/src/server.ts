import { createApi } from '@posthorn/api';
import { createDispatcher, scopes } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { Hono } from 'hono';
import { verify } from 'hono/jwt';

type Channels = Parameters<typeof createDispatcher>[0]['channels'];

/** An application with teams and its own tokens. With the same tokens, members manage the webhooks of their team. */
export function teamServer(channels: Channels, tokenSecret: string) {
  const posthorn = createDispatcher({ storage: memoryStorage(), channels });

  /** The team of a bearer token; null for an unknown token. There must be no default team. */
  async function auth(request: Request) {
    const [, token] = /^Bearer (\S+)$/.exec(request.headers.get('authorization') ?? '') ?? [];
    const payload = token ? await verify(token, tokenSecret, 'HS256').catch(() => null) : null;
    return typeof payload?.team === 'string' && payload.team !== ''
      ? { tenantId: payload.team, scopes: payload.role === 'admin' ? scopes : (['webhooks:read'] as const) }
      : null;
  }
  const api = createApi(posthorn, { auth });

  const app = new Hono();
  app.all('/v1/organizations/*', (c) => api(c.req.raw));
  app.post('/teams/:team/members', async (c) => {
    const { name } = await c.req.json<{ name: string }>();
    await posthorn.dispatch('member.joined', { name }, { tenantId: c.req.param('team') });
    return c.json({ name }, 201);
  });
  return { app, posthorn };
}
