import type {
  ApiKeyInput,
  Attempt,
  ChannelBinding,
  Delivery,
  EventDetails,
  Webhook,
  WebhookEvent,
  WebhookInput,
  WebhookPatch,
} from '@posthorn/core';
import type {
  attemptSchema,
  channelBindingSchema,
  deliverySchema,
  eventDetailsSchema,
  eventSchema,
  webhookInputSchema,
  webhookPatchSchema,
  webhookSchema,
} from '@posthorn/core/schemas';
import { describe, expectTypeOf, test } from 'vitest';
import type { z } from 'zod';
import type { apiKeyInputSchema } from '../src/api-keys/api-key.js';

/** `Value` as the interfaces have it: deeply `readonly`. */
type Frozen<Value> = Value extends Date
  ? Value
  : Value extends readonly (infer Item)[]
    ? readonly Frozen<Item>[]
    : Value extends object
      ? { readonly [Name in keyof Value]: Frozen<Value[Name]> }
      : Value;

describe('a model that is written out as an interface', () => {
  test('has the fields of the schema that checks it', () => {
    expectTypeOf<Frozen<z.output<typeof webhookSchema>>>().toExtend<Webhook>();
    expectTypeOf<Webhook>().toExtend<Frozen<z.output<typeof webhookSchema>>>();
    expectTypeOf<Frozen<z.output<typeof channelBindingSchema>>>().toExtend<ChannelBinding>();
    expectTypeOf<ChannelBinding>().toExtend<Frozen<z.output<typeof channelBindingSchema>>>();
    expectTypeOf<Frozen<z.output<typeof eventSchema>>>().toEqualTypeOf<Frozen<WebhookEvent>>();
    expectTypeOf<Frozen<z.output<typeof deliverySchema>>>().toEqualTypeOf<Frozen<Delivery>>();
    expectTypeOf<Frozen<z.output<typeof attemptSchema>>>().toEqualTypeOf<Frozen<Attempt>>();
  });

  test('accepts the input that the schema accepts', () => {
    expectTypeOf<keyof WebhookInput>().toEqualTypeOf<keyof z.input<typeof webhookInputSchema>>();
    expectTypeOf<WebhookInput>().toExtend<Frozen<z.input<typeof webhookInputSchema>>>();
    expectTypeOf<keyof WebhookPatch>().toEqualTypeOf<keyof z.input<typeof webhookPatchSchema>>();
    expectTypeOf<WebhookPatch>().toExtend<Frozen<z.input<typeof webhookPatchSchema>>>();
    expectTypeOf<keyof EventDetails>().toEqualTypeOf<keyof z.input<typeof eventDetailsSchema>>();
    expectTypeOf<EventDetails>().toExtend<Frozen<z.input<typeof eventDetailsSchema>>>();
    expectTypeOf<ApiKeyInput>().toEqualTypeOf<Frozen<z.input<ReturnType<typeof apiKeyInputSchema>>>>();
  });
});
