export type { HttpFormat } from './body.js';
export { httpChannel } from './channel.js';
export type { HttpConfigs } from './configs.js';
export type { HttpChannelOptions } from './options.js';
