import { describe, expect, test } from 'vitest';
import {
  contextOf,
  parseJsonTemplate,
  parseJsonText,
  parseTemplate,
  summaryOf,
  writeJson,
} from '../src/index.js';
import { event, messageOf } from './message.js';

/** Renders a template with an event that has this text as its payload. */
const speakingOf = (payload: string, extra: object = {}) =>
  contextOf({ ...messageOf(JSON.parse(payload)), event: { ...event, payload }, ...extra });
const rendered = (source: string, payload: string): string =>
  parseTemplate(source, 'plain').render(speakingOf(payload));

const payload =
  '{"account":9007199254740993,"owed":42.00,"tiny":0.0000001,"huge":1E400,"minus":-0,' +
  '"items":[{"p":10.00,"id":9007199254740993},{"p":9.50,"id":9007199254740992},{"id":9007199254740993,"p":10.00}]}';

describe('a number of an event keeps its spelling', () => {
  test.each<[string, string]>([
    ['{{ metadata.account }} owes {{ metadata.owed }}', '9007199254740993 owes 42.00'],
    ['{metadata.account}', '9007199254740993'],
    ['{{ metadata.tiny }} {{ metadata.huge }} {{ metadata.minus }}', '0.0000001 1E400 -0'],
    ['{{ metadata.items[0] }}', '{"p":10.00,"id":9007199254740993}'],
    ['{{ metadata.items[0] | json }}', '{"p":10.00,"id":9007199254740993}'],
    ['{{ metadata.items[0] | jsonify }}', '{"p":10.00,"id":9007199254740993}'],
    ['{{ metadata.items[0] | inspect }}', '{"p":10.00,"id":9007199254740993}'],
    ['{{ metadata.items[1] | json: 1 }}', '{\n "p": 9.50,\n "id": 9007199254740992\n}'],
    ['{{ metadata.items | map: "p" | join: " " }}', '10.00 9.50 10.00'],
    ['{{ metadata.owed | append: " €" }}', '42.00 €'],
    ['{{ "€ " | append: metadata.owed }}', '€ 42.00'],
    ['{{ metadata.owed | prepend: "€ " | replace: ".", "," }}', '€ 42,00'],
    ['{{ metadata.owed | default: "nothing" }}', '42.00'],
    ['{% assign a = metadata.account %}{{ a }}', '9007199254740993'],
    ['{% capture a %}{{ metadata.owed }}{% endcapture %}{{ a | size }}', '5'],
    ['{{ metadata.owed.size }}{{ metadata.owed.first }}{% for x in metadata.owed %}x{% endfor %}', ''],
    ['{{ "abc" | slice: 1.0, 1.0 }}', 'b'],
  ])('%s', (source, expected) => {
    expect(rendered(source, payload)).toBe(expected);
  });

  test('in each event of a digest', () => {
    const digest = ['{"n":1.10}', '{"n":2.00}'].map((text) => ({
      event: { ...event, payload: text },
      payload: JSON.parse(text),
    }));
    const template = parseTemplate('{% for e in events %}{{ e.metadata.n }} {% endfor %}', 'plain');
    expect(template.render(speakingOf('{"n":1.10}', { digest }))).toBe('1.10 2.00 ');
  });

  test('in a summary', () => {
    const one = { event: { ...event, payload }, payload: JSON.parse(payload) };
    expect(summaryOf(one, 3).fields.map(({ value }) => value)).toEqual([
      '9007199254740993',
      '42.00',
      '0.0000001',
    ]);
    expect(summaryOf(one, 6).fields[5]?.value).toContain('{"p":10.00,"id":9007199254740993}');
    const bare = { event: { ...event, payload: '42.00' }, payload: 42 };
    expect(summaryOf(bare, 1).fields).toEqual([{ name: 'payload', value: '42.00' }]);
  });

  test('in JSON, as a number, in a document and in a text', () => {
    const document = parseJsonTemplate({ id: '{{ metadata.account }}', text: 'owes {{ metadata.owed }}' });
    expect(writeJson(document.render(speakingOf(payload)))).toBe(
      '{"id":9007199254740993,"text":"owes 42.00"}',
    );
    const text = parseJsonText(
      '[{% for i in metadata.items %}{{ i }},{% endfor %}{{ metadata.owed }}, 7.0, "{{ metadata.items[0] | json }}"]',
    );
    expect(writeJson(text.render(speakingOf(payload)))).toBe(
      '[{"p":10.00,"id":9007199254740993},{"p":9.50,"id":9007199254740992},{"id":9007199254740993,"p":10.00},42.00,7.0,' +
        '"{\\"p\\":10.00,\\"id\\":9007199254740993}"]',
    );
    expect(writeJson(parseJsonText('{"n":42.00,"s":"1.0"}').render(speakingOf('{}')))).toBe(
      '{"n":42.00,"s":"1.0"}',
    );
  });

  test('in a cache scope', () => {
    const context = contextOf({
      ...messageOf({}),
      event: { ...event, cacheScope: '{"id":9007199254740993}' },
    });
    expect(parseTemplate('{{ cache_scope.id }}', 'plain').render(context)).toBe('9007199254740993');
  });

  test('while repeated names and __proto__ are parsed as by JSON.parse', () => {
    const twice = '{"a":1.0,"a":2.0,"__proto__":{"b":3.0}}';
    expect(rendered('{{ metadata }}', twice)).toBe('{"a":2.0,"__proto__":{"b":3.0}}');
    expect(Object.prototype).not.toHaveProperty('b');
  });

  test('and writeJson serializes all other values like JSON.stringify', () => {
    const value = {
      a: [1, 'x\ud800"', null, undefined, Number.NaN],
      b: undefined,
      c: {},
      d: [],
      e: new Date(0),
    };
    expect(writeJson(value)).toBe(JSON.stringify(value));
    expect(writeJson(value, 2)).toBe(JSON.stringify(value, null, 2));
  });
});

describe('numbers are compared by value, not by spelling', () => {
  test.each<[string, string]>([
    ['{% if metadata.owed == 42 %}same{% endif %}', 'same'],
    ['{% if 42 == metadata.owed %}same{% endif %}', 'same'],
    ['{% if metadata.owed != 42.5 %}other{% endif %}', 'other'],
    ['{% if metadata.owed == "42.00" %}same{% else %}other{% endif %}', 'other'],
    ['{% if metadata.owed == empty %}empty{% else %}there{% endif %}', 'there'],
    ['{% if metadata.owed == nil %}nil{% else %}there{% endif %}', 'there'],
    ['{% if metadata.account > 9007199254740992 %}more{% endif %}', 'more'],
    ['{% if 9007199254740992 < metadata.account %}more{% endif %}', 'more'],
    ['{% if metadata.account >= 9007199254740994 %}more{% else %}less{% endif %}', 'less'],
    ['{% if metadata.account <= 9007199254740993 %}not more{% endif %}', 'not more'],
    ['{% if metadata.huge > 5 %}more{% endif %}', 'more'],
    ['{% case metadata.owed %}{% when 42 %}same{% endcase %}', 'same'],
    ['{{ metadata.items | where: "p", 10 | size }}', '2'],
    ['{{ metadata.items | sort: "p" | map: "p" | join: " " }}', '9.50 10.00 10.00'],
    [
      '{{ metadata.items | sort: "id" | map: "id" | join: " " }}',
      '9007199254740992 9007199254740993 9007199254740993',
    ],
    ['{{ metadata.items | map: "p" | uniq | join: " " }}', '10.00 9.50'],
    ['{% assign g = metadata.items | group_by: "p" %}{{ g | map: "name" | join: " " }}', '10.00 9.50'],
    [
      '{% assign all = metadata.items | map: "id" %}{% if all contains 9007199254740992 %}in{% endif %}',
      'in',
    ],
  ])('%s', (source, expected) => {
    expect(rendered(source, payload)).toBe(expected);
  });
});

/** Results of Ruby's Liquid 5.4.0 on Ruby 3.1.2. */
const ofRuby: readonly (readonly [source: string, answer: string])[] = [
  ['{{ metadata.price | times: 100 }}', '1999.0'],
  ['{{ 0.1 | plus: 0.2 }}', '0.3'],
  ['{{ 0.3 | minus: 0.1 }}', '0.2'],
  ['{{ 10 | divided_by: 4 }}', '2'],
  ['{{ -10 | divided_by: 4 }}', '-3'],
  ['{{ 20 | divided_by: 7.0 }}', '2.857142857142857'],
  ['{{ 10.0 | divided_by: 4 }}', '2.5'],
  ['{{ 1 | divided_by: 3.0 }}', '0.3333333333333333'],
  ['{{ 2 | divided_by: 8.0 }}', '0.25'],
  ['{{ 5 | times: 2 }}', '10'],
  ['{{ 5 | times: 2.0 }}', '10.0'],
  ['{{ 42.00 }}', '42.0'],
  ['{{ metadata.owed | plus: 0 }}', '42.0'],
  ['{{ metadata.big | plus: 1 }}', '9007199254740994'],
  ['{{ metadata.big | times: metadata.big }}', '81129638414606699710187514626049'],
  ['{{ metadata.text | plus: 1 }}', '4.5'],
  ['{{ metadata.words | plus: 1 }}', '13'],
  ['{{ metadata.none | plus: 1 }}', '1'],
  ['{{ metadata.yes | plus: 1 }}', '1'],
  ['{{ "1e3" | plus: 1 }}', '2'],
  ['{{ " 7.5 " | times: 2 }}', '15.0'],
  ['{{ "-3" | abs }}', '3'],
  ['{{ -19.99 | abs }}', '19.99'],
  ['{{ 17 | abs }}', '17'],
  ['{{ 183.357 | round: 2 }}', '183.36'],
  ['{{ 1.5 | round }}', '2'],
  ['{{ 2.5 | round }}', '3'],
  ['{{ -2.5 | round }}', '-3'],
  ['{{ 1.005 | round: 2 }}', '1.01'],
  ['{{ 5 | round: 2 }}', '5'],
  ['{{ 1250 | round: -2 }}', '1300'],
  ['{{ 1234.5 | round: -2 }}', '1200'],
  ['{{ 4.00 | round: 2 }}', '4.0'],
  ['{{ 4.35 | times: 100 | round }}', '435'],
  ['{{ 1.2 | ceil }}', '2'],
  ['{{ -1.2 | ceil }}', '-1'],
  ['{{ "3.5" | ceil }}', '4'],
  ['{{ 1.8 | floor }}', '1'],
  ['{{ -1.2 | floor }}', '-2'],
  ['{{ 3 | modulo: 2 }}', '1'],
  ['{{ -7 | modulo: 3 }}', '2'],
  ['{{ 7 | modulo: -3 }}', '-2'],
  ['{{ 7.5 | modulo: 2 }}', '1.5'],
  ['{{ 4 | at_least: 5 }}', '5'],
  ['{{ 4.5 | at_least: 5 }}', '5'],
  ['{{ 4 | at_most: 3.5 }}', '3.5'],
  ['{{ metadata.owed | at_least: 1 }}', '42.0'],
  ['{{ metadata.price | times: 3 | minus: 59.97 }}', '0.0'],
  ['{{ 100 | times: 1.1 }}', '110.0'],
  ['{{ 1.1 | times: 1.1 }}', '1.21'],
  ['{{ 8.5 | minus: 8.5 }}', '0.0'],
];

describe('arithmetic uses decimals, as in Ruby', () => {
  const ofPrices =
    '{"price":19.99,"owed":42.00,"big":9007199254740993,"text":"3.5","words":"12abc","none":null,"yes":true,' +
    '"list":[0.1,0.2,0.30],"items":[{"p":19.99},{"p":0.01},{"q":1}],"ints":[1,2]}';

  test.each(ofRuby)('%s', (source, answer) => {
    expect(rendered(source, ofPrices)).toBe(answer);
  });

  // Filters that Ruby's Liquid 5.4.0 lacks, and numbers that it prints with an exponent or with fewer digits.
  test.each<[string, string]>([
    ['{{ metadata.list | sum }}', '0.6'],
    ['{{ metadata.items | sum: "p" }}', '20.0'],
    ['{{ metadata.ints | sum }}{{ metadata.none | sum }}', '30'],
    ['{{ 0.00001 | plus: 0 }}', '0.00001'],
    ['{{ 0 | times: -1.5 }}', '0.0'],
    [
      '{{ 9007199254740993 | divided_by: 7 }} {{ 9007199254740993 | divided_by: 2.0 }}',
      '1286742750677284 4503599627370496.5',
    ],
    ['{{ 7 | divided_by: 2.0, true }}', '3'],
    ['{{ "9007199254740993" | to_integer }} {{ -3.7 | to_integer }}', '9007199254740993 -3'],
    [
      '{% assign total = 0 %}{% for i in metadata.items %}{% assign total = total | plus: i.p %}{% endfor %}{{ total }}',
      '20.0',
    ],
  ])('%s', (source, expected) => {
    expect(rendered(source, ofPrices)).toBe(expected);
  });

  test('division by 0 is empty in text and null in JSON', () => {
    for (const by of ['0', '0.0', 'metadata.none']) {
      expect(rendered(`{{ 1 | divided_by: ${by} }}{{ 1.5 | modulo: ${by} }}`, ofPrices)).toBe('');
    }
    expect(parseJsonTemplate('{{ 1 | divided_by: 0 }}').render(speakingOf('{}'))).toBe(null);
  });

  test('arithmetic with a number of too many digits is undefined, without delay', () => {
    for (const long of ['1e999999', '-1e-999999', '1'.repeat(5_000)]) {
      const began = performance.now();
      for (const name of ['plus: 1', 'times: 2', 'divided_by: 3', 'modulo: 3', 'round: 2', 'floor', 'abs']) {
        expect(rendered(`{{ metadata.n | ${name} }}`, `{"n":${long}}`), name).toBe('');
      }
      expect(performance.now() - began).toBeLessThan(1_000);
    }
    expect(rendered('{{ 2 | round: 99999999 }} {{ 1.5 | round: -99999999 }}', '{}')).toBe('2 0');
  });
});
