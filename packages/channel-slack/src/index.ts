export { type SlackChannelOptions, slackChannel } from './channel.js';
export type { SlackConfigs } from './configs.js';
