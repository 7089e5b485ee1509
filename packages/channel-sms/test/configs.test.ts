import { describe, expect, test } from 'vitest';
import { httpSmsProvider, type SmsChannelOptions, smsChannel, twilio } from '../src/index.js';

const provider: SmsChannelOptions['provider'] = { send: async () => ({ outcome: 'delivered' }) };
const { config } = smsChannel({ provider });
const number = '+4915112345678';
const numbers = (count: number) => Array.from({ length: count }, (_, i) => `+49151${10_000_000 + i}`);

async function judge(configs: unknown): Promise<unknown> {
  const result = await config['~standard'].validate(configs);
  return result.issues
    ? Object.fromEntries(result.issues.map((issue) => [issue.path?.join('.') ?? '', issue.message]))
    : result.value;
}

describe('valid configs are accepted', () => {
  test.each([
    { phone_numbers: [number] },
    { phone_numbers: [number, '+14155550123'], message_template: null },
    { phone_numbers: ['+1234567', '+123456789012345'] },
    { phone_numbers: numbers(50), message_template: '{{ event_type }} {{ metadata.total }}' },
  ])('%j, unchanged', async (configs) => {
    expect(await judge(configs)).toEqual(configs);
  });
});

const noField = expect.stringMatching(/^is no field of an? sms channel$/);
const e164 = expect.stringMatching(/E\.164/);

describe('invalid configs are refused with the path of each field', () => {
  test.each<[unknown, Record<string, unknown>]>([
    [{}, { phone_numbers: 'must be an array of phone numbers' }],
    [{ phone_numbers: null }, { phone_numbers: 'must be an array of phone numbers' }],
    [{ phone_numbers: number }, { phone_numbers: 'must be an array of phone numbers' }],
    [{ phone_numbers: [] }, { phone_numbers: 'must hold at least one phone number' }],
    [{ phone_numbers: numbers(51) }, { phone_numbers: 'must hold at most 50 phone numbers' }],
    [{ phone_numbers: [number, 4915112345678] }, { 'phone_numbers.1': 'must be a string' }],
    [
      { phone_numbers: [number], message_template: '{{ event_type' },
      { message_template: expect.stringMatching(/line 1, column/) },
    ],
    [{ phone_numbers: [number], message_template: 5 }, { message_template: expect.any(String) }],
    [{ phone_numbers: [number], message: 'canary' }, { message: noField }],
    [
      { phone_numbers: ['canary'], tpyo: 'canary' },
      { 'phone_numbers.0': e164, tpyo: noField },
    ],
    [null, { '': 'must be an object' }],
    ['canary', { '': 'must be an object' }],
    [[], { '': expect.any(String) }],
  ])('%j', async (configs, issues) => {
    const found = await judge(configs);
    expect(found).toEqual(issues);
    expect(JSON.stringify(found)).not.toMatch(/canary|4915112345678/);
  });

  test.each([
    '',
    '+',
    '4915112345678',
    '004915112345678',
    '+0915112345678',
    '+123456',
    '+1234567890123456',
    '+49 151 12345678',
    '+49-151-12345678',
    '+49(0)15112345678',
    ' +4915112345678',
    '+4915112345678\n',
    '+4915112345678\r\nTo: +14155550123',
    '+4915112345678,+14155550123',
    '+4915112345678;ext=5',
    'tel:+4915112345678',
    'whatsapp:+4915112345678',
    '+４９１５１１２３４５６７８',
    '+49151١٢٣٤٥٦٧٨',
    '\u202e+4915112345678',
    '+49151\u00001234567',
    '++4915112345678',
    `+${'1'.repeat(100_000)}`,
    { toString: () => number },
  ])('an invalid phone number: %j', async (given) => {
    const found = await judge({ phone_numbers: [given] });
    expect(found).toEqual({ 'phone_numbers.0': typeof given === 'string' ? e164 : 'must be a string' });
  });

  test.each(['{}', 'null', '1'])('a field named __proto__, which JSON can contain: %s', async (value) => {
    const configs = JSON.parse(`{"phone_numbers":["${number}"],"__proto__":${value}}`) as unknown;
    const { issues } = await config['~standard'].validate(configs);
    expect(issues).toMatchObject([{ path: ['__proto__'], message: noField }]);
  });
});

const sid = (prefix: string) => prefix + 'a1'.repeat(16);
const account = { accountSid: sid('AC'), authToken: 'canary-token', from: '+15005550006' };

describe('an invalid option is refused with its name, and its value is never quoted', () => {
  test.each<[string, () => unknown]>([
    ['provider', () => smsChannel({} as never)],
    ['provider', () => smsChannel({ provider: {} as never })],
    ['provider', () => smsChannel(undefined as never)],
    ['maxSegments', () => smsChannel({ provider, maxSegments: 0 })],
    ['maxSegments', () => smsChannel({ provider, maxSegments: 11 })],
    ['maxSegments', () => smsChannel({ provider, maxSegments: 1.5 })],
    ['timeoutMs', () => smsChannel({ provider, timeoutMs: 0 })],
    ['timeoutMs', () => smsChannel({ provider, timeoutMs: Number.NaN })],
    ['maxSegmnts', () => smsChannel({ provider, maxSegmnts: 3 } as never)],
    ['accountSid', () => twilio({ ...account, accountSid: 'canary' })],
    ['accountSid', () => twilio({ authToken: 'canary', from: '+15005550006' } as never)],
    ['authToken', () => twilio({ accountSid: account.accountSid, from: account.from })],
    ['authToken', () => twilio({ ...account, authToken: 'canary\r\nx-evil: 1' })],
    ['authToken', () => twilio({ ...account, authToken: '' })],
    ['apiKey', () => twilio({ ...account, apiKey: sid('SK'), apiKeySecret: 'canary' })],
    ['apiKeySecret', () => twilio({ ...account, apiKeySecret: 'canary' })],
    [
      'apiKey',
      () =>
        twilio({ accountSid: account.accountSid, from: account.from, apiKey: 'canary', apiKeySecret: 'x' }),
    ],
    ['apiKeySecret', () => twilio({ accountSid: account.accountSid, from: account.from, apiKey: sid('SK') })],
    ['from', () => twilio({ ...account, messagingServiceSid: sid('MG') })],
    ['from', () => twilio({ accountSid: account.accountSid, authToken: 'canary' })],
    ['from', () => twilio({ ...account, from: 'canary and more' })],
    ['from', () => twilio({ ...account, from: '' })],
    [
      'messagingServiceSid',
      () => twilio({ accountSid: account.accountSid, authToken: 'c', messagingServiceSid: 'canary' }),
    ],
    ['statusCallback', () => twilio({ ...account, statusCallback: 'canary' })],
    ['baseUrl', () => twilio({ ...account, baseUrl: 'canary' })],
    ['baseUrl', () => twilio({ ...account, baseUrl: 'https://user:canary@example.com' })],
    ['baseUrl', () => twilio({ ...account, baseUrl: 'https://example.com/canary' })],
    ['baseUrl', () => twilio({ ...account, baseUrl: 'ftp://example.com' })],
    ['outbound', () => twilio({ ...account, outbound: null as never })],
    ['authTokn', () => twilio({ ...account, authTokn: 'canary' } as never)],
    ['url', () => httpSmsProvider({} as never)],
    ['url', () => httpSmsProvider({ url: 'canary' })],
    ['headrs', () => httpSmsProvider({ url: 'https://example.com', headrs: {} } as never)],
  ])('%s', (name, make) => {
    expect(make).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(name) }),
    );
    expect(make).not.toThrow(/canary/);
  });

  test('headers of an HTTP provider are checked like those of a webhook', () => {
    expect(() => httpSmsProvider({ url: 'https://example.com', headers: { 'x-a': 'canary\r\n' } })).toThrow(
      expect.objectContaining({ code: 'invalid_header', message: expect.not.stringContaining('canary') }),
    );
  });
});
