-- Why the engine itself paused the webhook; null where it is active, or paused by the application.

alter table :"schema".webhooks add column disabled_reason text;
