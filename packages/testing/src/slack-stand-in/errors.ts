/**
 * The HTTP status of each error of an incoming webhook. Source: Slack, changelog of 2016-05-17 and "Sending messages
 * using incoming webhooks", section on errors. Where they give no status, that of similar errors.
 */
const webhookStatuses: Readonly<Record<string, number>> = {
  invalid_payload: 400,
  invalid_blocks: 400,
  no_text: 400,
  msg_too_long: 400,
  too_many_attachments: 400,
  user_not_found: 400,
  action_prohibited: 403,
  invalid_token: 403,
  posting_to_general_channel_denied: 403,
  team_disabled: 403,
  no_active_hooks: 404,
  no_service: 404,
  no_service_id: 404,
  no_team: 404,
  channel_not_found: 404,
  channel_is_archived: 410,
  rate_limited: 429,
  rollup_error: 500,
};

/** Returns the status of an incoming webhook's error; 500 for an undocumented one. */
export const webhookStatus = (error: string): number => webhookStatuses[error] ?? 500;

/** Returns the status of a Web API error: 200 with `ok: false`, except for rate limits and the like. */
export const apiStatus = (error: string): number =>
  ({ ratelimited: 429, rate_limited: 429, internal_error: 500, service_unavailable: 503 })[error] ?? 200;
