-- Webhooks by their name, the newest first.

create index webhooks_named on :"schema".webhooks (tenant_id, name, position);
