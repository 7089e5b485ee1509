import type { Route } from '../route.js';
import { apiKeyRoutes } from './api-keys.js';
import { deliveryRoutes } from './deliveries.js';
import { eventRoutes } from './events.js';
import { insightRoutes } from './insight.js';
import { replayRoutes } from './replays.js';
import { sampleRoutes } from './samples.js';
import { secretRoutes } from './secrets.js';
import { webhookRoutes } from './webhooks.js';

/** Every call of the API: the one table that answers, documents and tests are made from. */
export const routes: readonly Route[] = [
  ...webhookRoutes,
  ...secretRoutes,
  ...sampleRoutes,
  ...eventRoutes,
  ...deliveryRoutes,
  ...insightRoutes,
  ...replayRoutes,
  ...apiKeyRoutes,
];
