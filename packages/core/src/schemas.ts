/*
 * For authors of APIs in front of a dispatcher: the schemas of the models and of their fields.
 */
export { toMs } from './duration.js';
export { isDeeperThan } from './events/json-depth.js';
export { attemptSchema, deliverySchema, deliveryStatusSchema, outcomeSchema } from './models/delivery.js';
export { eventDetailsSchema, eventSchema } from './models/event.js';
export {
  apiKeyIdSchema,
  attemptIdSchema,
  bindingIdSchema,
  deliveryIdSchema,
  eventIdSchema,
  nameSchema,
  oneOf,
  tenantIdSchema,
  webhookIdSchema,
} from './models/fields.js';
export {
  channelBindingSchema,
  webhookInputSchema,
  webhookPatchSchema,
  webhookSchema,
} from './models/webhook.js';
export { zodErrorMap } from './validation.js';
