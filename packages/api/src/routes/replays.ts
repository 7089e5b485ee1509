import type { Replay } from '@posthorn/core';
import { oneOf, webhookIdSchema } from '@posthorn/core/schemas';
import { madeAt } from '@posthorn/core/storage';
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
        .meta({ description: 'Whether it creates missed deliveries; then `status` is empty' }),
      event_type: z.string().nullable(),
      webhook_id: z.string().nullable(),
      from: z.iso.datetime().nullable(),
      to: z.iso.datetime(),
    }),
    per_second: z.int(),
    replayed: z.int().meta({ description: 'How many deliveries were retried, or created, so far' }),
    skipped: z.int().meta({
      description: 'How many were not: being sent, without their webhook, or gathering for a digest',
    }),
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Replay' });
const dryRunSchema = z
  .object({
    dry_run: z.literal(true),
    matching: z.int().meta({ description: 'How many deliveries match now' }),
  })
  .meta({ id: 'DryRun' });

const instant = instantText.transform((text) => new Date(text));
/** A replay stores its time range as ids of events. */
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

/** Retrying many deliveries. */
export const replayRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/replay',
    id: 'createReplay',
    summary: 'Retry many deliveries',
    description:
      'Retries the deliveries that match all given fields, newest first, up to `per_second`. With the status `pending`, deliveries that wait for a later attempt are sent now. With `missed`, deliveries are created instead, oldest first: those that active webhooks would have of stored events and do not have, because they were paused or did not exist yet. With `dry_run`, matching deliveries are counted and none is retried.',
    scopes: ['deliveries:write'],
    body: z
      .strictObject({
        status: z
          .array(statusSchema)
          .min(1, { error: 'must hold at least one status' })
          .nullish()
          .meta({ description: 'Default `["dead"]`' }),
        missed: z
          .boolean()
          .nullish()
          .meta({ description: 'Requires `from`; cannot be combined with `status`' }),
        event_type: eventTypeText.nullish(),
        webhook_id: webhookIdSchema.nullish(),
        from: instant.nullish().meta({ description: 'Only events dispatched at this instant or later' }),
        to: instant
          .nullish()
          .meta({ description: 'Only events dispatched before this instant; default now' }),
        per_second: wholeFrom(1, 10_000).nullish().meta({ description: 'The maximum rate; default 100' }),
        dry_run: z.boolean().nullish(),
      })
      .superRefine(({ missed, status, from }, context) => {
        if (!missed) return;
        if (status != null)
          context.addIssue({ code: 'custom', path: ['status'], message: 'cannot be combined with missed' });
        if (from == null)
          context.addIssue({ code: 'custom', path: ['from'], message: 'is required with missed' });
      })
      .optional()
      .meta({ id: 'ReplayInput' }),
    success: { status: 202, description: 'The replay, which is running', schema: replaySchema },
    alsoAnswers: { status: 200, description: 'The count of a dry run', schema: dryRunSchema },
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
    summary: 'Read the progress of a replay',
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
    summary: 'Cancel a replay',
    description: 'Deliveries that it has already retried go on.',
    scopes: ['deliveries:write'],
    success: { status: 204, description: 'It is cancelled' },
    errors: [404],
    async handle({ dispatcher, tenantId, params }) {
      await dispatcher.replays.cancel(params.replay_id!, { tenantId });
      return { status: 204 };
    },
  }),
];
