import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { acme, claim, newEvent, newWebhook, one, publish } from './sample.js';

const texts: Readonly<Record<string, string>> = {
  'the order of keys, and repeated keys': '{"b":1,"a":2,"10":3,"9":4,"b":5}',
  'the spelling of numbers': '[1.10,1e3,1E+3,-0,0.0,12345678901234567890,1e400,0.1000000000000000055]',
  'white space': ' {\n\t"a" :\r\n [ ] } ',
  'characters of two, three and four bytes': '{"ä":"世界 📯 👨‍👩‍👧‍👦 \u2028\u2029 \ufeff \uffff \u{10ffff}"}',
  'escapes that have another spelling': '"\\u00e4\\/\\u002f\\ud83d\\udcef\\b\\f\\n\\r\\t\\"\\\\"',
  'an escaped NUL': '{"a":"\\u0000","\\u0000":1}',
  'escaped lone surrogates': '["\\ud800","\\udc00","\\udcef\\ud83d"]',
  'names of object properties': '{"__proto__":{"admin":true},"constructor":{"prototype":1},"toString":null}',
  'text that SQL or templates would interpret': `{"a":"'; drop table events; -- $1 \${x} {{x}} %s ?"}`,
  'a bare null': 'null',
  'a bare text': '""',
  'a bare number': '0',
  '64 levels': `${'['.repeat(64)}${']'.repeat(64)}`,
  '256 KiB': `"${'é'.repeat((256 * 1024 - 2) / 2)}"`,
};

export const payloadRules: readonly StorageRule[] = topic<StorageUnderTest>('payload', {
  ...Object.fromEntries(
    Object.entries(texts).map(([what, payload]) => [
      `a payload is kept byte for byte: ${what}`,
      async ({ storage }: StorageUnderTest) => {
        await storage.webhooks.create(newWebhook());
        const event = newEvent({ payload });
        await publish(storage, event);
        const logged = one((await storage.log.events(acme, { id: event.id, limit: 1 })).items);
        ok(logged.payload === payload, `the log has ${logged.payload.slice(0, 200)}`);
        const claimed = one(await claim(storage));
        ok(claimed.event.payload === payload, `the claim has ${claimed.event.payload.slice(0, 200)}`);
      },
    ]),
  ),

  'a cache scope is kept byte for byte': async ({ storage }) => {
    const scopes = ['{"b":1.10,"a":12345678901234567890}', '{ "a" : "\\u0000\\ud800 📯" }', '{}'];
    for (const cacheScope of scopes) {
      const event = newEvent({ cacheScope });
      await publish(storage, event);
      const logged = one((await storage.log.events(acme, { id: event.id, limit: 1 })).items);
      same(logged.cacheScope, cacheScope);
    }
  },
});
