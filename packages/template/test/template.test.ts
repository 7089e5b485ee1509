import { cpuMs } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { type Place, parseTemplate } from '../src/index.js';
import { speakingOf } from './message.js';

/** Renders a template with an event that has `payload`. */
const rendered = (source: string, payload: unknown = {}, place: Place = 'plain'): string =>
  parseTemplate(source, place).render(speakingOf(payload));

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid_template', issues: [{ path: [] }] });
    const { message } = error as Error;
    expect(error).toMatchObject({ issues: [{ message }] });
    return message;
  }
  throw new Error('it was not refused');
}

describe('Liquid', () => {
  test.each<[string, string]>([
    ['{{ event_type }} {{ event.type }}', 'order.created order.created'],
    ['{{ metadata.order.id }}, {{ metadata["order"]["id"] }}', 'o1, o1'],
    [
      '{{ metadata.items[0].name }} {{ metadata.items[-1].name }} {{ metadata.items.last.name }}',
      'nut bolt bolt',
    ],
    ['{{ metadata.items.size }} {{ metadata.order.id.size }} {{ metadata.items | size }}', '2 2 2'],
    [
      '{% for item in metadata.items %}{{ forloop.index }}. {{ item.name }}{% unless forloop.last %}, {% endunless %}{% endfor %}',
      '1. nut, 2. bolt',
    ],
    ['{% if metadata.total > 10 %}much{% else %}little{% endif %}', 'much'],
    ['{% assign a = metadata.total | plus: 1 %}{{ a }}', '13.5'],
    ['{{ metadata.items | map: "name" | join: "+" | upcase }}', 'NUT+BOLT'],
    ['{{ metadata.items | where: "name", "nut" | json }}', '[{"name":"nut"}]'],
    ['{{ missing | default: "none" }}', 'none'],
    ['{{ metadata.order }}', '{"id":"o1"}'],
    ['{{ metadata.nothing }}{{ metadata.missing.deeper }}', ''],
    ['{% raw %}{{ event_type }}{% endraw %}{% comment %}not{% endcomment %}', '{{ event_type }}'],
    ['{% increment n %}{% increment n %} {% cycle "a", "b" %}', '01 a'],
    ['{% increment event_id %}{{ event.id }}', '0evt_0TvKq1aBcDeFgHiJkLmNoP'],
    ['', ''],
  ])('%s', (source, expected) => {
    const payload = {
      order: { id: 'o1' },
      items: [{ name: 'nut' }, { name: 'bolt' }],
      total: 12.5,
      nothing: null,
    };
    expect(rendered(source, payload)).toBe(expected);
  });

  test('a date is in UTC and in English on every machine, unless the template names a zone', () => {
    expect(rendered('{{ occurred_at | date: "%A, %e %B %Y %H:%M" }}')).toBe('Monday, 23 November 2026 10:00');
    expect(rendered('{{ occurred_at | date: "%H:%M", "Asia/Tokyo" }}')).toBe('19:00');
  });

  test('renderings share no state', () => {
    const template = parseTemplate('{% assign a = a | append: "x" %}{% increment n %}{{ a }}', 'plain');
    expect([1, 2].map(() => template.render(speakingOf({})))).toEqual(['0x', '0x']);
  });
});

describe('single braces, the syntax of older configs', () => {
  test.each<[string, string]>([
    ['{event_type} of {metadata.name}', 'order.created of nut'],
    ['{event_type}{event_type}', 'order.createdorder.created'],
    [
      '{event_id}|{occurred_at}|{namespace_id}|{subject.id}',
      'evt_0TvKq1aBcDeFgHiJkLmNoP|2026-11-23T10:00:00.123Z|shop|o1',
    ],
    ['{event_type} {{ event_type }} {{event_type}}', 'order.created order.created order.created'],
    ['{metadata.missing}{metadata.name.length}', ''],
    [
      '{name} {event_types} { event_type } {metadata.} {metadata.a-b} {0} {}',
      '{name} {event_types} { event_type } {metadata.} {metadata.a-b} {0} {}',
    ],
    ['body { color: red } {"event": 1}', 'body { color: red } {"event": 1}'],
    ['{{ "{event_type}" }}{% assign a = "{event_type}" %}{{ a }}', '{event_type}{event_type}'],
    ['{% raw %}{event_type}{% endraw %}{event_type}', '{event_type}order.created'],
    ['a {%- if true -%} {event_type} {%- endif -%} b', 'aorder.createdb'],
  ])('%s', (source, expected) => {
    expect(rendered(source, { name: 'nut' })).toBe(expected);
  });

  test('values of single braces are escaped like others', () => {
    expect(rendered('{metadata.name}', { name: '<!here>' }, 'mrkdwn')).toBe('&lt;!here&gt;');
  });
});

describe('a template that cannot be parsed is reported with its position', () => {
  test.each<[string, string]>([
    ['a\n  {{ event_type', 'line 2, column 3: {{ is not closed'],
    ['{% if a %}\nb', 'line 1, column 1: the tag is not closed'],
    ['{% if a', 'line 1, column 1: the tag is not closed'],
    ['{event_type} {{ x | shout }}', 'line 1, column 14: unknown filter shout'],
    ['{event_type}\n{% with a %}', 'line 2, column 1: unknown tag with'],
    ['{{ }}', 'line 1, column 4: expected a value'],
    ['{{ a b c | }} {{ a + b }}', 'line 1, column 21: expected | before a filter'],
    ['{%%}', 'line 1, column 3: expected a tag name'],
    ['{% for a of b %}{% endfor %}', 'line 1, column 1: the tag is malformed'],
    ['{% assign = 5 %}', 'line 1, column 11: expected a variable name'],
    ['{{ a[0 }}', 'line 1, column 7: [ is not closed'],
    ['{{{event_type}}}', 'line 1, column 3: expected a value'],
    [
      '{% include "header" %}',
      'line 1, column 1: the tag include is refused: templates cannot read other templates',
    ],
    [
      '{% if true %}{% endif %}'.repeat(501),
      'line 1, column 1: must have at most 1000 placeholders and tags',
    ],
    [
      '{% if true %}'.repeat(65) + '{% endif %}'.repeat(65),
      'line 1, column 1: must have tags at most 64 levels deep',
    ],
  ])('%s', (source, message) => {
    expect(refusal(() => parseTemplate(source, 'plain'))).toBe(message);
  });

  test.each([
    '{{ x | default: "canary',
    '{{ canary | canary/',
    '{% canary',
    '{% for canary %}',
    '{% if "canary" "canary" canary ( %}',
  ])('%s, and only names of it are quoted', (source) => {
    expect(refusal(() => parseTemplate(source, 'plain')).replace(/called canary$/, '')).not.toContain(
      'canary',
    );
  });
});

describe('T19: a template runs no code and reads no file', () => {
  test.each([
    `{{constructor.constructor('return process')()}}`,
    '{{#with}}',
    '{% include "x" %}',
    '{% render "/etc/passwd" %}',
    '{% layout "x" %}',
    '{% block x %}{% endblock %}',
    '{% liquid\n include "x" %}',
  ])('%s is refused', (source) => {
    expect(refusal(() => parseTemplate(source, 'html'))).toMatch(/^line \d+, column \d+: /);
  });

  test.each([
    '{{constructor}}',
    '{{constructor.constructor}}',
    '{{__proto__}}',
    '{{ "a".constructor.name }}',
    '{{ metadata["__proto__"] }}',
  ])('%s is empty', (source) => {
    expect(rendered(source)).toBe('');
  });

  test.each(['<%= 7*7 %>', `\${process.env}`, '#{7*7}', '@(7*7)', '{= 7*7 =}'])('%s is text', (source) => {
    expect(rendered(source)).toBe(source);
  });
});

describe('T20: a value exposes only its own enumerable properties', () => {
  const payload = JSON.parse(
    '{"__proto__":{"polluted":1},"list":[1,2],"text":"abc","o":{"length":7,"size":8,"first":9}}',
  );
  test.each([
    'metadata.__proto__.polluted',
    'metadata.polluted',
    'metadata.toString',
    'metadata.length',
    'metadata.list.length',
    'metadata.text.length',
    'metadata["text"]["length"]',
    'metadata.list.push',
    'metadata.list.map.constructor',
    'metadata.hasOwnProperty',
    'metadata.text.__proto__',
    'metadata.list | map: "constructor"',
    'metadata.list | map: "__proto__"',
    'metadata.text | split: "" | where: "length"',
  ])('{{ %s }} is empty', (expression) => {
    expect(rendered(`{{ ${expression} }}`, payload)).toBe('');
    expect({}).not.toHaveProperty('polluted');
  });

  test('a loop exposes only the properties that Liquid documents', () => {
    const source =
      '{% for i in metadata.list %}{{ forloop.index }}{{ forloop.length }}{{ forloop.constructor }}{{ forloop.next }}{{ forloop.i }},{% endfor %}';
    expect(rendered(source, payload)).toBe('12,22,');
  });

  test('an own property is exposed, whatever its name', () => {
    expect(rendered('{{ metadata.o.length }}{{ metadata.o.size }}{{ metadata.o.first }}', payload)).toBe(
      '789',
    );
  });
});

describe('T21: data is never evaluated as a template', () => {
  const payload = { a: '{{ event_id }}{event_id}{% assign x = 1 %}', path: 'event_id', filter: 'upcase' };
  test.each<[string, string]>([
    ['{{ metadata.a }}', payload.a],
    ['{metadata.a}', payload.a],
    ['{% assign b = metadata.a %}{{ b }}', payload.a],
    ['{% capture b %}{{ metadata.a }}{% endcapture %}{{ b }}', payload.a],
    ['{{ "{{ event_id }}" }}', '{{ event_id }}'],
    ['{{ metadata.a | append: "{event_id}" }}', `${payload.a}{event_id}`],
    ['{% echo metadata.a %}{% cycle metadata.a %}', payload.a + payload.a],
  ])('%s', (source, expected) => {
    expect(rendered(source, payload)).toBe(expected);
  });

  test.each(['where_exp', 'reject_exp', 'group_by_exp', 'has_exp', 'find_exp', 'find_index_exp'])(
    'the filter %s is refused, as it reads text as an expression',
    (filter) => {
      const source = `{{ metadata.list | ${filter}: "i", metadata.path }}`;
      expect(refusal(() => parseTemplate(source, 'plain'))).toContain(`the filter ${filter} is refused`);
    },
  );
});

describe('T22: a template is limited', () => {
  test.each<[string, string, RegExp]>([
    ['100 kB', 'x'.repeat(100_000), /at most 64 KiB/],
    ['64 KiB in characters of three bytes', '€'.repeat(22_000), /at most 64 KiB/],
    ['10,000 placeholders', '{{a}}'.repeat(10_000), /at most 1000 placeholders and tags/],
    [
      '2,000 placeholders in single braces',
      '{event_type}'.repeat(2_000),
      /at most 1000 placeholders and tags/,
    ],
    [
      '2,000 lines in a tag liquid',
      `{% liquid\n${'echo a\n'.repeat(2_000)}%}`,
      /at most 1000 placeholders and tags/,
    ],
  ])('%s is refused at parsing', (_, source, message) => {
    expect(refusal(() => parseTemplate(source, 'plain'))).toMatch(message);
  });

  test.each<[string, string, RegExp]>([
    [
      '100 MB through repeats',
      `{% for i in (1..1000) %}${'x'.repeat(10_000)}{% endfor %}`,
      /more than 256 KiB/,
    ],
    [
      'the payload, over and over',
      '{% for i in (1..50) %}{{ metadata.text }}{% endfor %}',
      /more than 256 KiB/,
    ],
    [
      'characters of three bytes',
      '{% for i in (1..90) %}{{ metadata.wide }}{% endfor %}',
      /more than 256 KiB/,
    ],
    ['a range of ten billion items', '{% for i in (1..10000000000) %}{% endfor %}', /too much memory/],
    [
      'text that doubles',
      '{% assign a = metadata.text %}{% for i in (1..40) %}{% assign a = a | append: a %}{% endfor %}',
      /too much memory/,
    ],
    [
      'captures that double',
      '{% assign a = "x" %}{% for i in (1..40) %}{% capture a %}{{ a }}{{ a }}{% endcapture %}{% endfor %}',
      /more than 256 KiB/,
    ],
    [
      'a list that doubles',
      '{% assign a = metadata.list %}{% for i in (1..40) %}{% assign a = a | concat: a %}{% endfor %}',
      /too much memory|longer than 100 ms/,
    ],
    [
      'many references to one long text',
      '{% assign a = metadata.text | split: "never" %}{% for i in (1..8) %}{% assign a = a | concat: a %}{% endfor %}{{ a | join }}',
      /too much memory/,
    ],
    ['a date of a million digits', '{{ occurred_at | date: "%9999999d" }}', /too much memory/],
    [
      'loops in loops',
      `{% for i in (1..9999) %}${'{% for i in metadata.list %}'.repeat(9)}${'{% endfor %}'.repeat(10)}`,
      /longer than 100 ms/,
    ],
    [
      'a path as long as a template, for each of many items',
      `{{ (1..50000) | sort: "${'a.'.repeat(20_000)}" }}`,
      /too much memory|longer than 100 ms/,
    ],
    [
      'many comparisons of long lists',
      `{{ ${'metadata.list == metadata.list and '.repeat(1_500)} true }}`,
      /longer than 100 ms/,
    ],
  ])('%s is stopped at rendering', async (_, source, message) => {
    const payload = {
      text: 'x'.repeat(50_000),
      wide: '€'.repeat(1_000),
      list: Array.from({ length: 1_000 }, (_, i) => i),
    };
    const template = parseTemplate(source, 'plain');
    const took = await cpuMs(() =>
      expect(refusal(() => template.render(speakingOf(payload)))).toMatch(message),
    );
    expect(took).toBeLessThan(1_500);
  });
});

describe('T23: parsing takes linear time', () => {
  /** The best of several runs, because a single slow run may be chance. */
  async function parseMs(source: string): Promise<number> {
    const times: number[] = [];
    for (let i = 0; i < 8; i++) {
      const parse = () => {
        try {
          parseTemplate(source + ' '.repeat(i), 'mrkdwn');
        } catch {}
      };
      times.push(await cpuMs(parse));
    }
    return Math.min(...times);
  }

  test.each<[string, string]>([
    ['a name of 10,000 characters', `{{ ${'a'.repeat(10_000)} }}`],
    ['5,000 unclosed {{', '{{'.repeat(5_000)],
    ['5,000 unclosed { with a name of the context', '{event_type'.repeat(5_000)],
    ['5,000 unclosed quotes', `{{ "'`.repeat(5_000)],
    ['5,000 unclosed tags', '{% if a '.repeat(5_000)],
    ['5,000 open brackets', `{{ a${'['.repeat(5_000)} }}`],
    ['a raw that does not end', `{% raw %}${'{% endra'.repeat(5_000)}`],
    ['1,000 tags that are not closed', '{% if a %}'.repeat(1_000)],
    ['60,000 lines before the error', `${'\n'.repeat(60_000)}{{`],
    ['2,000 filters', `{{ a${' | upcase'.repeat(2_000)} }}`],
  ])('%s takes less than 20 ms', async (_, source) => {
    expect(await parseMs(source)).toBeLessThan(20);
  });
});
