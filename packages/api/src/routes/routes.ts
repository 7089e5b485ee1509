import type { Settings } from '../options.js';
import { webhookQuota } from '../quota.js';
import type { AnyDispatcher, Route } from '../route.js';
import { apiKeyRoutes } from './api-keys.js';
import { deliveryRoutes } from './deliveries.js';
import { eventRoutes } from './events.js';
import { insightRoutes } from './insight.js';
import { replayRoutes } from './replays.js';
import { sampleRoutes } from './samples.js';
import { secretRoutes } from './secrets.js';
import { serviceRoutes } from './service.js';
import { webhookRoutes } from './webhooks.js';

/** All calls of the API. Routing, documentation and tests use this one table. */
export function routesOf(
  dispatcher: AnyDispatcher,
  { basePath, maxWebhooks }: Pick<Settings, 'basePath' | 'maxWebhooks'>,
): readonly Route[] {
  const routes = [
    ...webhookRoutes(webhookQuota(maxWebhooks)),
    ...secretRoutes,
    ...sampleRoutes,
    ...eventRoutes,
    ...deliveryRoutes,
    ...insightRoutes,
    // A storage may do without these.
    ...(dispatcher.replays.areKept ? replayRoutes : []),
    ...(dispatcher.apiKeys.areKept ? apiKeyRoutes : []),
  ];
  return [...routes, ...serviceRoutes(dispatcher, basePath, routes)];
}
