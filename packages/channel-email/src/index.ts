export { type EmailChannel, emailChannel } from './channel.js';
export type { EmailConfigs } from './configs.js';
export type { EmailContent } from './default-content.js';
export type { EmailChannelOptions, Sender } from './options.js';
export type { EmailContentType } from './templates.js';
export type { MailTransport, SmtpSettings } from './transport.js';
