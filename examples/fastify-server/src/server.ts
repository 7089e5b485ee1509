import { createApi, toNode } from '@posthorn/api';
import { createDispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { fastify } from 'fastify';

type Channels = Parameters<typeof createDispatcher>[0]['channels'];

/** Notes, whose owners hear when one is written. */
export function notesServer(channels: Channels) {
  const posthorn = createDispatcher({ storage: memoryStorage(), channels });
  const api = toNode(createApi(posthorn));
  const app = fastify();

  app.register(async (scope) => {
    // In here nothing is parsed: the API reads bodies itself, up to its own limit, byte for byte.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    scope.all('/v1/organizations/*', (request, reply) => {
      reply.hijack();
      return api(request.raw, reply.raw);
    });
  });

  app.post<{ Params: { owner: string }; Body: { text: string } }>(
    '/owners/:owner/notes',
    { schema: { body: { type: 'object', required: ['text'], properties: { text: { type: 'string' } } } } },
    async ({ params, body }, reply) => {
      const { eventId } = await posthorn.dispatch(
        'note.written',
        { text: body.text },
        { tenantId: params.owner },
      );
      return reply.code(201).send({ eventId });
    },
  );

  app.addHook('onReady', async () => posthorn.start());
  app.addHook('onClose', () => posthorn.stop());
  return { app, posthorn };
}
