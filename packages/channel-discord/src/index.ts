export { type DiscordChannelOptions, type DiscordConfigs, discordChannel } from './channel.js';
