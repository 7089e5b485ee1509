export { type SmsChannelOptions, smsChannel } from './channel.js';
export type { SmsConfigs } from './configs.js';
export { type HttpSmsProviderOptions, httpSmsProvider } from './http-provider.js';
export type { Sms, SmsProvider, SmsResult } from './provider.js';
export { type Segments, type SmsEncoding, segmentsOf } from './segments.js';
export { type TwilioOptions, twilio } from './twilio.js';
