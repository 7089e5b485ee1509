import { createPublicKey, verify } from 'node:crypto';
import { createSecret } from '@posthorn/core';
import { Secret } from '@posthorn/core/channel';
import { Webhook } from 'standardwebhooks';
import { Webhook as Svix } from 'svix';
import { describe, expect, test } from 'vitest';
import type { HttpFormat } from '../src/index.js';
import { signatureOf } from '../src/sign.js';
import { event, message, secret, sender } from './message.js';
import { receiver } from './receiver.js';

describe('signatures match the test vectors of Standard Webhooks', () => {
  test.each([
    [
      'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      'msg_p5jXN8AQM9LWM0D4loKWxJek',
      1614265330,
      '{"test": 2432232314}',
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    ],
    [
      'whsec_plJ3nmyCDGBKInavdOK15jsl',
      'msg_loFOjxBNrRLzqYUf',
      1731705121,
      '{"event_type":"ping","data":{"success":true}}',
      'v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=',
    ],
  ])('%s', (key, id, timestamp, body, signature) => {
    expect(signatureOf([new Secret(key)], id, timestamp, Buffer.from(body))).toBe(signature);
  });
});

/** Verifies as a receiver would, with only the `whpk_` form of the key. */
function verifiesEd25519(whpk: string, signed: string, signature: string): boolean {
  const x = Buffer.from(whpk.replace(/^whpk_/, ''), 'base64').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, Buffer.from(signed), key, Buffer.from(signature.replace(/^v1a,/, ''), 'base64'));
}

const publicHalf = (whsk: string): string =>
  `whpk_${Buffer.from(whsk.slice('whsk_'.length), 'base64').subarray(32).toString('base64')}`;

describe('a request', () => {
  const formats: HttpFormat[] = ['default', 'standard-webhooks', 'cloudevents', 'cloudevents-binary'];
  test.each(formats)('verifies with the npm packages standardwebhooks and svix: %s', async (format) => {
    const { url, received } = await receiver();
    const payload = '{"text":"é 日本 🎺","price":1.10}';
    await sender({ format })(message({ url }, { event: { ...event, payload } }));
    const [{ body, bytes, headers }] = received as [(typeof received)[0]];
    const parsed = JSON.parse(body) as unknown;
    expect(new Webhook(secret).verify(body, headers)).toEqual(parsed);
    expect(new Webhook(secret).verify(bytes, headers)).toEqual(parsed);
    expect(new Svix(secret).verify(body, headers)).toEqual(parsed);
    expect(() => new Webhook(secret).verify(`${body} `, headers)).toThrow();
    expect(() => new Webhook(createSecret()).verify(body, headers)).toThrow();
  });

  test('verifies by ed25519 with the public key', async () => {
    const { url, received } = await receiver();
    const whsk = createSecret('v1a');
    await sender()(message({ url }, { secrets: [whsk] }));
    const [{ body, headers }] = received as [(typeof received)[0]];
    const signature = headers['webhook-signature']!;
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    expect(signature).toMatch(/^v1a,[A-Za-z0-9+/]{86}==$/);
    expect(verifiesEd25519(publicHalf(whsk), signed, signature)).toBe(true);
    expect(verifiesEd25519(publicHalf(whsk), `${signed} `, signature)).toBe(false);
  });

  test('is signed equally by a secret in either base64 alphabet, with or without padding', async () => {
    const { url, received } = await receiver();
    const bytes = Buffer.alloc(32, 0xfb);
    const [standard, forUrls] = [bytes.toString('base64'), bytes.toString('base64url')];
    for (const text of [standard, forUrls]) {
      await sender()(message({ url }, { secrets: [`whsec_${text}`] }));
    }
    for (const { body, headers } of received) {
      expect(headers['webhook-signature']).toMatch(/^v1,[^ ]{44}$/);
      new Webhook(`whsec_${standard}`).verify(body, headers);
    }
    expect(received).toHaveLength(2);
  });

  test('is signed by every secret, newest first, separated by a space, and each signature verifies', async () => {
    const { url, received } = await receiver();
    const [fresh, old, whsk] = [createSecret(), createSecret(), createSecret('v1a')];
    await sender()(message({ url }, { secrets: [fresh, whsk, old] }));
    const [{ body, headers }] = received as [(typeof received)[0]];
    expect(headers['webhook-signature']).toMatch(/^v1,[^ ]{44} v1a,[^ ]{88} v1,[^ ]{44}$/);
    const alone: Record<string, string> = Object.assign({}, headers);
    alone['webhook-signature'] = headers['webhook-signature']!.split(' ')[0]!;
    expect(new Webhook(fresh).verify(body, alone)).toBeTruthy();
    expect(() => new Webhook(old).verify(body, alone)).toThrow();
    expect(new Webhook(fresh).verify(body, headers)).toBeTruthy();
    expect(new Webhook(old).verify(body, headers)).toBeTruthy();
    expect(new Svix(old).verify(body, headers)).toBeTruthy();
  });

  test('has the id of the event at every attempt, and the timestamp of the attempt', async () => {
    const { url, received } = await receiver();
    const send = sender();
    const first = new Date('2026-11-23T10:00:00.999Z');
    const retry = new Date('2026-11-23T13:00:00.000Z');
    await send(message({ url }, { startedAt: first }));
    await send(message({ url }, { startedAt: retry, attempt: 4 }));
    const [one, two] = received as [(typeof received)[0], (typeof received)[0]];
    expect([one.headers['webhook-id'], two.headers['webhook-id']]).toEqual([event.id, event.id]);
    expect(one.headers['webhook-timestamp']).toBe(String(Date.parse('2026-11-23T10:00:00Z') / 1000));
    expect(two.headers['webhook-timestamp']).toBe(String(retry.getTime() / 1000));
    expect(one.headers['webhook-signature']).not.toBe(two.headers['webhook-signature']);
    expect(one.body).toBe(two.body);
  });
});

describe('nothing is sent', () => {
  test.each([
    ['without a secret', []],
    ['with an invalid secret', ['canary']],
    ['with an empty secret', ['whsec_']],
    ['with a secret that is too short', ['whsec_Y2FuYXJ5']],
    ['with a secret that mixes two alphabets', [`whsec_${'canary_/'.repeat(6)}`]],
    ['if the second secret is invalid', [secret, 'whsec_canary%']],
    [
      'with an ed25519 key whose halves do not belong together',
      [`whsk_${Buffer.alloc(64, 1).toString('base64')}`],
    ],
  ])('%s, and the attempt fails as config', async (_, secrets) => {
    const { url, received } = await receiver();
    const verdict = await sender()(message({ url }, { secrets }));
    expect(verdict).toMatchObject({
      outcome: 'failed',
      kind: 'config',
      message: expect.stringMatching(/secret/),
    });
    expect(JSON.stringify(verdict)).not.toMatch(/canary/);
    expect(received).toEqual([]);
  });
});
