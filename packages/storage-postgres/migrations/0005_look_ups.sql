-- Webhooks by their name, the newest first.

create index webhooks_named on :"schema".webhooks (tenant_id, name, position);

-- One webhook's deliveries among those of thousands, and the few that were not delivered among those that were: without
-- these a page of either reads all there is.

create index deliveries_of_webhook on :"schema".deliveries (webhook_id, event_id);
create index deliveries_undelivered on :"schema".deliveries (event_id, binding_id) where status <> 'delivered';
