import { madeAt, oneOf, type Replay, webhookIdSchema } from '@posthorn/core';
import { z } from 'zod';
import { type Route, route } from '../route.js';
import { instantText } from '../wire/instant.js';
import { eventTypeText } from '../wire/text.js';
import { wholeFrom } from '../wire/whole-number.js';

const statusSchema = oneOf(['dead', 'cancelled', 'delivered', 'pending']);

const replaySchema = z
  .object({
    replay_id: z.string(),
    status: z.enum(['running', 'done', 'cancelled']),
    filter: z.object({
      status: z.array(statusSchema),
      missed: z
        .boolean()
        .meta({ description: 'Whether it makes what webhooks missed; then `status` is empty' }),
      event_type: z.string().nullable(),
      webhook_id: z.string().nullable(),
      from: z.iso.datetime().nullable(),
      to: z.iso.datetime(),
    }),
    per_second: z.int(),
    replayed: z.int().meta({ description: 'How many deliveries were started again, or made, so far' }),
    skipped: z.int().meta({
      description: 'How many could not be: being sent, without their webhook, or gathering for a digest',
    }),
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Replay' });
const dryRunSchema = z
  .object({
    dry_run: z.literal(true),
    matching: z.int().meta({ description: 'How many deliveries fit now' }),
  })
  .meta({ id: 'DryRun' });

const instant = instantText.transform((text) => new Date(text));
/** A replay knows its stretch of time by the ids of events. */
const madeInstant = (eventId: string): string => new Date(madeAt(eventId)).toISOString();

function replayOf(replay: Replay): z.output<typeof replaySchema> {
  const { selection } = replay;
  return {
    replay_id: replay.id,
    status: replay.status,
    filter: {
      status: selection.status as z.output<typeof statusSchema>[],
      missed: selection.isMissed === true,
      event_type: selection.eventType ?? null,
      webhook_id: selection.webhookId ?? null,
      from: selection.fromEventId === undefined ? null : madeInstant(selection.fromEventId),
      to: madeInstant(selection.beforeEventId),
    },
    per_second: replay.perSecond,
    replayed: replay.replayed,
    skipped: replay.skipped,
    created_at: replay.createdAt.toISOString(),
    finished_at: replay.finishedAt?.toISOString() ?? null,
  };
}

/** Starting many deliveries again. */
export const replayRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/replay',
    id: 'createReplay',
    summary: 'Start many deliveries again',
    description:
      'Those that fit all that is given, newest first, so many a second. `pending` sends now what waits for a later attempt. `missed` makes deliveries instead, oldest first: those that active webhooks would have of stored events and do not, because they were switched off, or not there yet. `dry_run` counts, and starts none.',
    scopes: ['deliveries:write'],
    body: z
      .strictObject({
        status: z
          .array(statusSchema)
          .min(1, { error: 'must hold at least one status' })
          .nullish()
          .meta({ description: 'Default `["dead"]`' }),
        missed: z.boolean().nullish().meta({ description: 'Needs `from`, and takes no `status`' }),
        event_type: eventTypeText.nullish(),
        webhook_id: webhookIdSchema.nullish(),
        from: instant.nullish().meta({ description: 'Of events dispatched at this instant or later' }),
        to: instant.nullish().meta({ description: 'Of events dispatched before it; default now' }),
        per_second: wholeFrom(1, 10_000).nullish().meta({ description: 'At most; default 100' }),
        dry_run: z.boolean().nullish(),
      })
      .superRefine(({ missed, status, from }, context) => {
        if (!missed) return;
        if (status != null)
          context.addIssue({ code: 'custom', path: ['status'], message: 'goes with no missed' });
        if (from == null)
          context.addIssue({ code: 'custom', path: ['from'], message: 'is required with missed' });
      })
      .optional()
      .meta({ id: 'ReplayInput' }),
    success: { status: 202, description: 'The replay, which is under way', schema: replaySchema },
    alsoAnswers: { status: 200, description: 'Of a dry run, how many there are', schema: dryRunSchema },
    errors: [404],
    async handle({ dispatcher, tenantId, body }) {
      const { status, missed, event_type, webhook_id, from, to, per_second, dry_run } = body ?? {};
      const filter = {
        tenantId,
        ...(status != null && { status }),
        ...(missed != null && { missed }),
        ...(event_type != null && { eventType: event_type }),
        ...(webhook_id != null && { webhookId: webhook_id }),
        ...(from != null && { from }),
        ...(to != null && { to }),
      };
      if (dry_run) {
        return { status: 200, body: { dry_run: true, matching: await dispatcher.replays.count(filter) } };
      }
      const options = { ...filter, ...(per_second != null && { perSecond: per_second }) };
      return { status: 202, body: replayOf(await dispatcher.replays.create(options)) };
    },
  }),

  route({
    method: 'GET',
    path: '/replay/{replay_id}',
    id: 'getReplay',
    summary: 'Say how far a replay is',
    scopes: ['deliveries:read'],
    success: { status: 200, description: 'The replay', schema: replaySchema },
    errors: [404],
    handle: async ({ dispatcher, tenantId, params }) => ({
      status: 200,
      body: replayOf(await dispatcher.replays.get(params.replay_id!, { tenantId })),
    }),
  }),

  route({
    method: 'DELETE',
    path: '/replay/{replay_id}',
    id: 'cancelReplay',
    summary: 'End a replay',
    description: 'What was started again stays so.',
    scopes: ['deliveries:write'],
    success: { status: 204, description: 'It has ended' },
    errors: [404],
    async handle({ dispatcher, tenantId, params }) {
      await dispatcher.replays.cancel(params.replay_id!, { tenantId });
      return { status: 204 };
    },
  }),
];
