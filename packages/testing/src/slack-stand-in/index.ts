export type {
  HttpStandIn,
  StandInAnswer,
  StandInChannelOptions,
  StandInRequest,
  Trouble,
} from '../http-stand-in/server.js';
export { type SlackLink, type SlackMarkup, slackMarkup } from './markup.js';
export {
  type SlackStandIn,
  type SlackStandInMessage,
  type SlackStandInOptions,
  slackStandIn,
} from './stand-in.js';
