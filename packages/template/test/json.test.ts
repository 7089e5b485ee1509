import { cpuMs } from '@posthorn/testing';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { anyValue, type PlaceOf, parseJsonTemplate, parseJsonText } from '../src/index.js';
import { jsonFaultAt } from '../src/json-fault.js';
import { speakingOf } from './message.js';

const payload = { n: 3, text: 'a"b', list: [1, { deep: '<x>' }], on: false, nothing: null };
const filled = (document: unknown, place?: 'plain' | 'mrkdwn'): unknown =>
  parseJsonTemplate(document, place).render(speakingOf(payload));
const filledText = (source: string, place?: 'plain' | 'mrkdwn'): unknown =>
  parseJsonText(source, place).render(speakingOf(payload));

describe('a string that is one placeholder keeps the type of its value', () => {
  test.each<[string, unknown]>([
    ['{{ metadata.n }}', 3],
    ['{{metadata.n | plus: 0.5 }}', 3.5],
    ['{{ metadata.list }}', [1, { deep: '<x>' }]],
    ['{{ metadata }}', payload],
    ['{metadata.n}', 3],
    ['{{ metadata.on }}', false],
    ['{{ metadata.nothing }}', null],
    ['{{ metadata.missing }}', ''],
    ['{{ metadata.toString }}', ''],
    ['{{ metadata.text }}', 'a"b'],
    ['{{ metadata.list | size }}', 2],
    ['{{ metadata.list | json }}', '[1,{"deep":"<x>"}]'],
    ['{{ 1 | divided_by: 0 }}', null],
    ['{{ metadata.n }} ', '3 '],
    ['{{ metadata.n }}{{ metadata.n }}', '33'],
    ['{% if true %}{{ metadata.n }}{% endif %}', '3'],
    ['n', 'n'],
    ['', ''],
  ])('%s', (leaf, expected) => {
    expect(filled({ leaf })).toEqual({ leaf: expected });
  });
});

test('keys are not templates, and values that are not strings stay unchanged', () => {
  const document = { '{{ event_type }}': [1, true, null, { a: [] }], '{event_type}': 0 };
  expect(filled(document)).toEqual(document);
});

test('a key __proto__ is an ordinary key, in the document and in data', () => {
  const before = Object.prototype.toString;
  const result = parseJsonTemplate(
    JSON.parse('{"__proto__":{"polluted":"{{ event_type }}"},"data":"{{ metadata }}"}'),
  ).render(speakingOf(JSON.parse('{"__proto__":{"toString":1}}')));
  expect(JSON.stringify(result)).toBe(
    '{"__proto__":{"polluted":"order.created"},"data":{"__proto__":{"toString":1}}}',
  );
  expect({}).not.toHaveProperty('polluted');
  expect(Object.prototype.toString).toBe(before);
});

test('with the place mrkdwn strings are escaped, also within values', () => {
  const document = { text: '<b> {{ metadata.list[1].deep }}', all: '{{ metadata.list }}' };
  expect(filled(document, 'mrkdwn')).toEqual({ text: '<b> &lt;x&gt;', all: [1, { deep: '&lt;x&gt;' }] });
});

test('a string does not see variables assigned in another', () => {
  expect(filled(['{% assign a = 1 %}{{ a }}', '{{ a }}'])).toEqual(['1', '']);
});

describe('an invalid document is refused with the path of each invalid string', () => {
  test.each<[unknown, { path: (string | number)[]; message: string }[]]>([
    [
      { a: [{ b: 'x\n {{ y' }], c: '{% nope %}' },
      [
        { path: ['a', 0, 'b'], message: 'line 2, column 2: {{ is not closed' },
        { path: ['c'], message: 'line 1, column 1: unknown tag nope' },
      ],
    ],
    [{ a: undefined }, [{ path: ['a'], message: 'must be JSON, not undefined' }]],
    [[1n], [{ path: [0], message: 'must be JSON, not a bigint' }]],
    [[Number.NaN], [{ path: [0], message: 'must be JSON, not a number' }]],
    [{ at: new Date() }, [{ path: ['at'], message: 'must be JSON, not an object' }]],
    [{ '{{': 'x'.repeat(70_000) }, [{ path: [], message: 'must have at most 64 KiB' }]],
    [Array(70_000).fill(1), [{ path: [], message: 'must have at most 64 KiB' }]],
    [Array(1_001).fill('{{a}}'), [{ path: [], message: 'must have at most 1000 placeholders and tags' }]],
  ])('%#', (document, issues) => {
    expect(() => parseJsonTemplate(document)).toThrow(
      expect.objectContaining({ code: 'invalid_template', issues }),
    );
  });

  test('a cyclic document, or one deeper than 64 levels, is refused', () => {
    const endless: Record<string, unknown> = {};
    endless.a = [endless];
    expect(() => parseJsonTemplate(endless)).toThrow(/must be at most 64 levels deep/);
  });
});

describe('the shape of a JSON template', () => {
  test.each<[string, unknown]>([
    ['["x", 1, null, {"type": "a"}]', ['x', 1, null, { type: 'a' }]],
    ['"{{ event_id }}"', anyValue],
    ['{{ event_id }}', anyValue],
    ['["{{ event_id }}", {event_id}]', [anyValue, anyValue]],
    ['[{"type": "{event_type}", "a": ["{{ event_id }}"]}]', [{ type: anyValue, a: [anyValue] }]],
    ['[{"type": {{ event_type }}, "a": null}]', [{ type: anyValue, a: null }]],
    ['[{% for event in events %}{% endfor %}]', anyValue],
  ])('%s', (source, shape) => {
    expect(parseJsonText(source).shape).toEqual(shape);
  });

  test('keeps the source of strings that mix text and placeholders', () => {
    expect(parseJsonText('["a {{ event_id }}", "{% if a %}{% endif %}"]').shape).toEqual([
      'a {{ event_id }}',
      '{% if a %}{% endif %}',
    ]);
    expect(parseJsonText('["a {{ event_id }}", {{ event_id }}]').shape).toEqual([
      expect.stringMatching(/^a /),
      anyValue,
    ]);
  });
});

describe('the place of each string in a document', () => {
  const placeOf: PlaceOf = (path, type) =>
    path.at(-1) === 'url' ? 'address' : type === 'md' ? 'markdown' : type === 'text' ? 'plain' : 'mrkdwn';
  const parts = `
    {"text": "<b> {{ metadata.text }}", "type": "md"},
    {"type": "text", "text": "{{ metadata.text }}", "more": ["{{ metadata.text }}", {"a": "{{ metadata.text }}"}]},
    {"url": "{{ metadata.text }}"}`;
  const expected = [
    { text: '<b> \\[\\<\\&', type: 'md' },
    { type: 'text', text: '[<&', more: ['[<&', { a: '[&lt;&amp;' }] },
    { url: '' },
  ];

  test.each([`[${parts}]`, `{% if true %}[${parts}]{% endif %}`, `[${parts},{"n":{{ metadata.n }}}]`])(
    'depends on its path and the type of its object: %#',
    (source) => {
      const rendered = parseJsonText(source, 'mrkdwn', placeOf).render(speakingOf({ text: '[<&', n: 1 }));
      expect((rendered as unknown[]).slice(0, 3)).toEqual(expected);
    },
  );

  test('is that of the template in objects of the event, regardless of their type field', () => {
    const rendered = (source: string) =>
      parseJsonText(source, 'mrkdwn', placeOf).render(speakingOf({ a: { type: 'md', text: '[<' } }));
    const escaped = { type: 'md', text: '\\[\\<' };
    expect(rendered('["{{ metadata.a }}"]')).toEqual([escaped]);
    expect(rendered('[{{ metadata.a }}, {{ metadata.a.type | json }}]')).toEqual([escaped, 'md']);
  });
});

test('jsonFaultAt accepts the same text as JSON.parse, and the text before the reported index is valid so far', () => {
  const piece = fc.constantFrom(
    ...'{}[],:"\\ \n\t\0'.split(''),
    '"a"',
    '""',
    '"\\u00e9"',
    '"\\x"',
    '1',
    '-',
    '0',
    '.5',
    'e3',
    'E-1',
    'true',
    'null',
    'nul',
    '\u00a0',
    'ü',
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
    fc.json(),
    fc.tuple(fc.json(), fc.nat(), piece).map(([json, at, odd]) => {
      const index = at % (json.length + 1);
      return json.slice(0, index) + odd + json.slice(index);
    }),
  );
  fc.assert(
    fc.property(text, (json) => {
      let isJson = true;
      try {
        JSON.parse(json);
      } catch {
        isJson = false;
      }
      const at = jsonFaultAt(json);
      expect(at === undefined).toBe(isJson);
      if (at !== undefined) expect(at).toBeLessThanOrEqual(json.length);
    }),
    { numRuns: 2_000 },
  );
});

describe('the output of a JSON template is limited', () => {
  test.each<[string, unknown]>([
    ['the payload in each of many strings', Array(900).fill('{{ metadata }}')],
    ['long values in many strings', Array(900).fill('x{{ metadata.text }}')],
  ])('%s', (_, document) => {
    const context = speakingOf({ text: 'x'.repeat(1_000) });
    expect(() => parseJsonTemplate(document).render(context)).toThrow(/more than 256 KiB/);
  });

  test('all strings share one time limit', async () => {
    const slow = '{% for i in (1..9999) %}{% for j in (1..9999) %}{% endfor %}{% endfor %}';
    const took = await cpuMs(() =>
      expect(() => filled(Array(200).fill(slow))).toThrow(/longer than 100 ms|too much memory/),
    );
    expect(took).toBeLessThan(1_500);
  });
});

test('a template that is slow because the machine is busy still renders', () => {
  const now = vi.spyOn(performance, 'now');
  onTestFinished(() => now.mockRestore());
  let passed = 0;
  now.mockImplementation(() => (passed += 1_000));
  expect(filled({ a: '{{ metadata.n }}', b: '{{ event_type }} {{ metadata.text }}' })).toEqual({
    a: 3,
    b: 'order.created a"b',
  });
});

describe('a JSON text', () => {
  test('that is valid JSON is a document', () => {
    expect(filledText('{"n": "{{ metadata.n }}", "t": "n={{ metadata.n }}"}')).toEqual({ n: 3, t: 'n=3' });
    expect(() => parseJsonText('["{{ x"]')).toThrow(
      expect.objectContaining({ issues: [expect.objectContaining({ path: [0] })] }),
    );
  });

  test('may loop around values, quoted and unquoted', () => {
    const source = `[{% for item in metadata.list %}
      {"item": {{ item }}, "text": "is \\"{{ item }}\\"", "json": {{ item | json }}}{% unless forloop.last %},{% endunless %}
    {% endfor %}]`;
    expect(filledText(source, 'mrkdwn')).toEqual([
      { item: 1, text: 'is "1"', json: 1 },
      { item: { deep: '&lt;x&gt;' }, text: 'is "{"deep":"&lt;x&gt;"}"', json: { deep: '&lt;x&gt;' } },
    ]);
  });

  test('contains JSON for the filter json within quotes, and an empty string for undefined', () => {
    expect(
      filledText('{"a": "{{ metadata.list | json }}", "b": {{ missing }}, "c": {{ metadata.nothing }}}'),
    ).toEqual({
      a: '[1,{"deep":"<x>"}]',
      b: '',
      c: null,
    });
  });

  test('treats captured text as a string', () => {
    const source = '{% capture a %}{{ metadata.text }}<{% endcapture %}{"a": "{{ a }}", "b": {{ a }}}';
    expect(filledText(source, 'mrkdwn')).toEqual({ a: 'a"b<', b: 'a"b<' });
  });

  test('T8: no value adds a field or ends the string or value that contains it', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('","channel":"#x', '\\', '"}', '\n', '{{ event_id }}', ',', ']'),
      fc.object(),
    );
    const source =
      '{% if true %}{"a": {{ metadata.v }}, "b": "x{{ metadata.v }}", "c": "{{ metadata.v | json }}"}{% endif %}';
    const template = parseJsonText(source);
    fc.assert(
      fc.property(hostile, (value) => {
        const v = JSON.parse(JSON.stringify(value));
        const result = template.render(speakingOf({ v })) as Record<string, unknown>;
        expect(Object.keys(result)).toEqual(['a', 'b', 'c']);
        expect(result.a).toEqual(v);
        expect(JSON.parse(String(result.c))).toEqual(v);
      }),
    );
  });

  test.each<[string, string]>([
    ['{"a": {{ metadata.n }}', 'line 1, column 7: must be JSON around its placeholders'],
    ['no JSON', 'line 1, column 1: must be JSON around its placeholders'],
    ['', 'line 1, column 1: must be JSON around its placeholders'],
    ['[\n  {"a": 1}\n  {"b": 2}\n]', 'line 3, column 3: must be JSON around its placeholders'],
    [
      '[\n  "{{ event_id }}",\n  {event_id},\n  {"b": 2,}]',
      'line 4, column 11: must be JSON around its placeholders',
    ],
    ['[{{ event_id }}\n {{ event_id }}]', 'line 2, column 2: must be JSON around its placeholders'],
    ['["{{ event_id }}\n"]', 'line 1, column 17: must be JSON around its placeholders'],
    ['["{{ event_id }}]', 'line 1, column 2: must be JSON around its placeholders'],
    ['{{ event_id }} {{- event_id -}} \n  x', 'line 1, column 16: must be JSON around its placeholders'],
    ['{"a": "\\{{ metadata.n }}"}', 'line 1, column 9: a placeholder must not follow a backslash'],
    ['[{% if a %}]', 'line 1, column 2: the tag is not closed'],
  ])('%s is refused at parsing', (source, message) => {
    expect(() => parseJsonText(source)).toThrow(
      expect.objectContaining({ code: 'invalid_template', message }),
    );
  });

  test.each<[string, string]>([
    [
      '[{% for i in metadata.list %}{{ i }},{% endfor %}]',
      'the rendered text is not JSON: see line 1, column 19 of that text',
    ],
    [
      '{% if true %}["\\{{ metadata.n }}"]{% endif %}',
      'line 1, column 17: a placeholder must not follow a backslash',
    ],
    [
      `{% if true %}${'['.repeat(100)}${']'.repeat(100)}{% endif %}`,
      'the rendered text is not JSON: it is nested too deeply',
    ],
  ])('%s fails at rendering', (source, message) => {
    expect(() => filledText(source)).toThrow(message);
  });

  test('that renders to more than 256 KiB fails', () => {
    const source = `[{% for i in (1..6) %}"${'x'.repeat(50_000)}",{% endfor %}1]`;
    expect(() => filledText(source)).toThrow('more than 256 KiB');
  });
});
