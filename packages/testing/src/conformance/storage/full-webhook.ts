import type { NewWebhook } from '@posthorn/core/storage';
import { newBinding, newWebhook } from './sample.js';

/** A webhook that has every field, with the characters that a storage may get wrong. */
export const fullWebhook = (): NewWebhook =>
  newWebhook({
    name: `Bestellungen "für" O'Brien 📯 <b>%_\\`,
    eventTypes: ['order.*', 'order.created', '*', 'a-b_c.*.D'],
    channels: [
      newBinding({
        channel: 'slack',
        configs: { blocks: [{ text: 'ünï 📯' }, [], {}], dry: false, none: null },
      }),
      newBinding({ channel: 'webhook', configs: { url: 'https://example.com/?a=1&b=%20', timeout: 2.5 } }),
      newBinding({ channel: 'webhook', configs: { url: 'https://example.com/?a=1&b=%20', timeout: 2.5 } }),
    ],
    isActive: false,
    secrets: [
      { key: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', expiresAt: null },
      { key: 'whsec_plJ3nmyCDGBKInavdOK15jslMfKQ9r8GK', expiresAt: new Date('2026-11-24T00:00:00.123Z') },
    ],
  });
