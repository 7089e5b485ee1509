import { createApi, toNode } from '@posthorn/api';
import { createDispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { fastify } from 'fastify';

type Channels = Parameters<typeof createDispatcher>[0]['channels'];

/** A server for notes that notifies the owner when a note is written. */
export function notesServer(channels: Channels) {
  const posthorn = createDispatcher({ storage: memoryStorage(), channels });
  const api = toNode(createApi(posthorn));
  const app = fastify();

  app.register(async (scope) => {
    // This scope has no parser: the API reads bodies itself, byte for byte and up to its own limit.
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
