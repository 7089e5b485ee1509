export type {
  HttpStandIn,
  StandInAnswer,
  StandInChannelOptions,
  StandInRequest,
  Trouble,
} from '../http-stand-in/server.js';
export {
  type DiscordStandIn,
  type DiscordStandInMessage,
  type DiscordStandInOptions,
  discordStandIn,
} from './stand-in.js';
