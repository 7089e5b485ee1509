export { type TeamsChannelOptions, type TeamsConfigs, teamsChannel } from './channel.js';
