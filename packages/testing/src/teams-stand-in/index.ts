export type {
  HttpStandIn,
  StandInAnswer,
  StandInChannelOptions,
  StandInRequest,
  Trouble,
} from '../http-stand-in/server.js';
export {
  type TeamsStandIn,
  type TeamsStandInMessage,
  type TeamsStandInOptions,
  teamsStandIn,
} from './stand-in.js';
