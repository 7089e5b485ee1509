import { z } from 'zod';

/** What an endpoint of the `webhook` channel receives, unless its webhook has a `payload_template`. */
export const receivedSchema = z
  .object({
    event_id: z
      .string()
      .meta({ description: '`evt_…`: the same for every attempt, to recognize duplicates' }),
    event_type: z.string(),
    occurred_at: z.iso.datetime(),
    namespace_id: z.string().nullable(),
    subject: z.object({ type: z.string(), id: z.string() }).nullable(),
    metadata: z.unknown().meta({ description: 'The event’s own payload' }),
    cache_scope: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'ReceivedEvent' });
