import { slackMarkup } from '@posthorn/testing/slack-stand-in';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Place, parseTemplate } from '../src/index.js';
import { speakingOf } from './message.js';

const shown = (text: unknown, place: Place, source = '{{ metadata.text }}'): string =>
  parseTemplate(source, place).render(speakingOf({ text }));

describe('mrkdwn', () => {
  test.each<[string, string, string]>([
    ['T1', '<!channel> <!here> <!everyone>', '&lt;!channel&gt; &lt;!here&gt; &lt;!everyone&gt;'],
    ['T1', '<!subteam^S1>', '&lt;!subteam^S1&gt;'],
    ['T2', '<@U123> <#C123>', '&lt;@U123&gt; &lt;#C123&gt;'],
    ['T3', '<https://evil.example|Reset your password>', '&lt;https://evil.example|Reset your password&gt;'],
    ['T4', '&lt;!channel&gt;', '&amp;lt;!channel&amp;gt;'],
    [
      'T5',
      '*bold* `code` ```\n> quoted',
      '{*}bold{*} {`}code{`} {```}\n\u00ad&gt; quoted'.replace(/\{(.*?)\}/g, '<!date^00000000^{_}|$1>'),
    ],
  ])('%s: %s', (_, text, expected) => {
    expect(shown(text, 'mrkdwn')).toBe(expected);
  });

  test.each([
    '*/5 * * * *',
    '~$36k to ~$40k',
    '_x_ __init__ snake_case_name a_ _b',
    '`rm -rf *` and ```',
    '> quoted\n>>> and more',
    ':tada: at 12:30:45 :+1: :100:',
    '*_~both~_* 2*3*4',
    '(*a*) "_b_" -~c~-',
    '*',
    '<!channel> &lt; *&*',
    '**bold** __bold__',
  ])('a value is displayed as written: %j', (text) => {
    const bold = text.includes('\n') ? [] : ['*{{ metadata.text }}* _b_'];
    for (const source of ['{{ metadata.text }}', 'a {{ metadata.text }}: `b`', ...bold]) {
      const usual = slackMarkup(shown('word', 'mrkdwn', source)).shown;
      const read = slackMarkup(shown(text, 'mrkdwn', source)).shown.replaceAll('\u00ad', '');
      expect(read).toBe(usual.replace('word', () => text));
    }
  });

  test('a value in code or in the label of a link is displayed as written, except for backticks and formatting characters', () => {
    expect(slackMarkup(shown('*/5 * * * <b>', 'mrkdwn', '`{{ metadata.text }}`')).shown).toBe(
      '*/5 * * * <b>',
    );
    expect(slackMarkup(shown('a`b_c_', 'mrkdwn', '```{{ metadata.text }}```')).shown).toBe('aˋb_c_');
    const { links } = slackMarkup(shown('*a* | <b>', 'mrkdwn', '<https://a.example|{{ metadata.text }}>'));
    expect(links).toEqual([{ url: 'https://a.example', label: '∗a∗ | <b>' }]);
  });

  test('a URL stays one that Slack links', () => {
    const address = 'https://a.example/_b_?c=*&d=~';
    expect(shown(address, 'mrkdwn')).toBe(address.replace('&', '&amp;'));
  });

  test('the place entities escapes only the three characters', () => {
    expect(shown('*a* <b> & _c_', 'entities')).toBe('*a* &lt;b&gt; &amp; _c_');
  });

  test('the text of the template itself is not escaped, so its links work', () => {
    expect(shown('x', 'mrkdwn', '<https://example.com|{{ metadata.text }}> & <!date^1^{date}|now>')).toBe(
      '<https://example.com|x> & <!date^1^{date}|now>',
    );
  });

  test.each<[string, string]>([
    ['https://example.com/a|b', 'https://example.com/a%7Cb'],
    ['https://example.com/<!here>?q=a b&c=%20', 'https://example.com/%3C!here%3E?q=a%20b&amp;c=%20'],
    ['https://example.com/#a|b>', 'https://example.com/#a%7Cb%3E'],
    ['javascript:alert(1)', ''],
    ['data:text/html,x', ''],
    ['no address', ''],
  ])('T6: %s as the target of a link', (text, expected) => {
    expect(shown(text, 'mrkdwn', '{{ metadata.text | link }}')).toBe(expected);
  });
});

describe('in the target of a mrkdwn link', () => {
  test.each<[string, string, string]>([
    ['a value right after < is a URL', '<{{ metadata.text }}|open>', 'https://a.example/|<b>?q=1&r=2 3'],
    ['a value in single braces is a URL', '<{metadata.text}|open>', 'https://a.example/|<b>?q=1&r=2 3'],
    [
      'a captured value is a URL',
      '{% capture a %}{{ metadata.text }}{% endcapture %}<{{ a }}|open>',
      'https://a.example/|<b>?q=1&r=2 3',
    ],
    [
      'a value of the filter link is a URL',
      '<{{ metadata.text | link }}|open>',
      'https://a.example/|<b>?q=1&r=2 3',
    ],
  ])('%s', (_, source, text) => {
    expect(shown(text, 'mrkdwn', source)).toBe('<https://a.example/%7C%3Cb%3E?q=1&amp;r=2%203|open>');
  });

  test.each([
    '!channel',
    '!here',
    '@U123',
    '#C123',
    'javascript:alert(1)',
    ' !channel',
    'mailto:a@b.example',
  ])('T1, T2: %s mentions no one and links nowhere', (text) => {
    expect(shown(text, 'mrkdwn', '<{{ metadata.text }}|open>')).toBe('<|open>');
    expect(shown(text, 'mrkdwn', '<{% if true %}{{ metadata.text }}{% endif %}>')).toBe('<>');
    expect(shown(text, 'mrkdwn', '<{{ metadata.none }}{{ metadata.text }}>')).toBe('<>');
  });

  test('a value after the beginning cannot end or label the link', () => {
    const source = '<https://a.example/{{ metadata.text }}|{{ metadata.text }}> {{ metadata.text }}';
    expect(shown('a b|<c>', 'mrkdwn', source)).toBe(
      '<https://a.example/a%20b%7C%3Cc%3E|a b|&lt;c&gt;> a b|&lt;c&gt;',
    );
    expect(shown('https://a.example', 'mrkdwn', '<{{ metadata.text }}{{ metadata.text }}>')).toBe(
      '<https://a.example/https://a.example>',
    );
  });

  test('a < that starts no link has no effect', () => {
    expect(shown('a b', 'mrkdwn', '1 < {{ metadata.text }}, <!here> {{ metadata.text }}')).toBe(
      '1 < a b, <!here> a b',
    );
  });
});

describe('in HTML, a value within CSS', () => {
  const evil = 'url(https://evil.example)} @import "x"; position:fixed;/*</style>';
  const left = 'urlhttpsevil.example import x positionfixedstyle';

  test.each([
    ['<p style="', '">'],
    ["<p title='>' STYLE = 'color: red; background: ", "'>"],
    ['<p title="{{ metadata.none }}" style="', '">'],
    ['<p title="a"style=', '>'],
    ['<style>a { color: red } b { background: ', ' }</style>'],
    ['<style media="all">{% if true %}', '{% endif %}</style>'],
    ['<p style="background: url({{ metadata.none }}', ')">'],
  ])('keeps only letters, digits and a few signs: %s', (before, after) => {
    expect(shown(evil, 'html', `${before}{{ metadata.text }}${after}`)).toContain(left);
    expect(
      shown(evil, 'html', `{% capture a %}{{ metadata.text }}{% endcapture %}${before}{{ a }}${after}`),
    ).toContain(left);
  });

  test('keeps a colour and a length', () => {
    const source = '<p style="color: {{ metadata.text }}; width: {{ metadata.text }}px">';
    expect(shown('#ff0000', 'html', source)).toBe('<p style="color: #ff0000; width: #ff0000px">');
    expect(shown('-1.5', 'html', source)).toBe('<p style="color: -1.5; width: -1.5px">');
  });

  test.each([
    ['<p style="color: red">', '</p>'],
    ["<p style='color: red' title='", "'>"],
    ['<style>a { color: red }</style>', ''],
    ['<p style=color:red title="', '">'],
    ['my style = ', ''],
  ])('is ordinary text after the CSS: %s', (before, after) => {
    expect(shown('a(b)', 'html', `${before}{{ metadata.text }}${after}`)).toBe(
      before.endsWith('style = ') ? 'my style = ab' : `${before}a(b)${after}`,
    );
  });
});

test('in Markdown, a value starts no heading, list, rule or table', () => {
  for (const text of [
    '# T',
    '\n# T',
    'a\n===',
    'a\n---',
    '- a',
    '1. a',
    '\n 2. a',
    '1) a',
    '> a',
    '|a|',
    '<b>',
    '&lt;',
  ]) {
    expect(shown(text, 'markdown').replace(/\\[!-/:-@[-`{-~]/g, '')).not.toMatch(/[#=\->|<&)]|^\s*\d+[.)]/m);
  }
});

test('the place address encodes a value, and removes one at the start that is not an http or https URL', () => {
  const link = '{{ metadata.text }}';
  expect(shown('https://a.example/?a=1&b=<2>', 'address', link)).toBe('https://a.example/?a=1&b=%3C2%3E');
  expect(shown('javascript:alert(1)', 'address', link)).toBe('');
  expect(shown('a b', 'address', `slack://x?${link}`)).toBe('slack://x?a%20b');
});

test('a value may contain the marks that enclose values', () => {
  const text = '\ufdd0a\ufdd1\ufdd2\ufdd20<';
  for (const source of ['{{ metadata.text }}', '{% capture a %}{{ metadata.text }}{% endcapture %}{{ a }}']) {
    expect(shown(text, 'plain', source)).toBe(text);
    expect(shown(text, 'html', `\ufdd0${source}\ufdd1`)).toBe(`\ufdd0${text.replace('<', '&lt;')}\ufdd1`);
  }
});

test('T18: in HTML, markup becomes text, and the filter link accepts only http and https', () => {
  expect(shown('<img src=x onerror=alert(1)>', 'html')).toBe('&lt;img src=x onerror=alert(1)&gt;');
  expect(shown(`" onmouseover='x`, 'html', '<a title="{{ metadata.text }}">')).toBe(
    '<a title="&#34; onmouseover=&#39;x">',
  );
  const link = '<a href="{{ metadata.text | link }}">';
  expect(shown('javascript:alert(1)', 'html', link)).toBe('<a href="">');
  expect(shown('https://example.com/?a=1&b="', 'html', link)).toBe(
    '<a href="https://example.com/?a=1&amp;b=%22">',
  );
  expect(shown('a\n<b>', 'html', '{{ metadata.text | newline_to_br }}')).toBe('a<br />\n&lt;b&gt;');
});

test('T11, T12: a header is one line without control characters', () => {
  expect(shown('Hi\r\nBcc: v@example.com', 'header')).toBe('Hi Bcc: v@example.com');
  expect(shown('a\u2028b\0c\u0085d\x7fe\tf', 'header')).toBe('a b c d e f');
  expect(shown('x', 'header', 'a\r\nb {{ metadata.text }}\n')).toBe('a b x ');
});

test('T8: a value in a JSON string does not end it', () => {
  const text = 'a","channel":"#x';
  expect(JSON.parse(shown(text, 'json', '{"text":"{{ metadata.text }}"}'))).toEqual({ text });
});

describe('a value is escaped once, however it is output', () => {
  test.each([
    '{{ metadata.text }}',
    '{metadata.text}',
    '{{ metadata.text | escape }}',
    '{{ metadata.text | xml_escape }}',
    '{% echo metadata.text %}',
    '{% cycle metadata.text %}',
    '{% liquid\n echo metadata.text %}',
    '{% capture a %}{{ metadata.text }}{% endcapture %}{{ a }}',
    '{% capture a %}{{ metadata.text }}{% endcapture %}{% capture b %}{{ a }}{% endcapture %}{% echo b %}',
    '{% assign a = metadata.text %}{{ a | escape }}',
    '{% for a in metadata %}{{ a[1] }}{% endfor %}',
    '{{ metadata.text | split: "" | join: "" }}',
    '{% if true %}{% case 1 %}{% when 1 %}{{ metadata.text }}{% endcase %}{% endif %}',
  ])('%s', (source) => {
    expect(shown('<&>', 'mrkdwn', source)).toBe('&lt;&amp;&gt;');
    expect(shown('<&>', 'html', source)).toBe('&lt;&amp;&gt;');
  });

  test('the result of a filter on captured text is one value', () => {
    const source = '{% capture a %}{{ metadata.text }}{% endcapture %}{{ a | append: "" }} {{ a | size }}';
    expect(shown('<', 'mrkdwn', source)).toBe('&lt; 1');
  });

  test.each<Place>(['html', 'mrkdwn', 'json'])('the filter raw is refused in %s', (place) => {
    for (const source of [
      '{{ a | raw }}',
      '{{ a | raw | upcase }}',
      '{% echo a | raw %}',
      '{% assign b = a | raw %}',
    ]) {
      expect(() => parseTemplate(source, place)).toThrow(/the filter raw is refused/);
    }
  });

  test.each<Place>(['plain', 'header'])('the filter raw changes nothing in %s', (place) => {
    expect(shown('<&>\n', place, '{{ metadata.text | raw }}.')).toBe(place === 'plain' ? '<&>\n.' : '<&> .');
  });
});

describe('a value never leaves its place', () => {
  /** Every way to output a value. */
  const sources = [
    '{{ metadata.text }}',
    '{metadata.text}',
    '{{ metadata }}',
    '{{ metadata | json }}',
    '{{ metadata.text | upcase | reverse | join }}',
    '{{ metadata.text | url_decode | unescape | strip_html }}',
    '{{ metadata.text | escape | newline_to_br }}',
    '{{ metadata.text | link }}',
    '{% capture a %}{{ metadata.text }}{% endcapture %}{{ a }}{{ a | unescape }}',
    '{% echo metadata.text %}{% cycle metadata.text %}',
    '{% for pair in metadata %}{{ pair }}{% endfor %}',
    '{% tablerow a in metadata %}{{ a }}{% endtablerow %}',
  ];
  const source = fc.constantFrom(...sources);
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(
        fc.constantFrom(
          '<',
          '>',
          '&',
          '"',
          "'",
          '\\',
          '\n',
          '\0',
          '\u2028',
          '&lt;',
          '%3C',
          '{{',
          '}}',
          '<br />',
          'https://a/',
        ),
      )
      .map((parts) => parts.join('')),
  );
  /** liquidjs may refuse to decode malformed text; then nothing is sent. */
  const orNothing = (render: () => string): string => {
    try {
      return render();
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid_template' });
      return '';
    }
  };
  /** The HTML tags in the sources themselves. */
  const own = /<br \/>|<\/?t[rd](?: class="(?:row|col)\d+")?>/g;

  test('and adds no < or > to mrkdwn and HTML, and no quote to HTML', () => {
    fc.assert(
      fc.property(source, text, (template, value) => {
        for (const place of ['mrkdwn', 'html'] as const) {
          const written = orNothing(() => shown(value, place, template)).replace(own, '');
          expect(written.replace(/<!date\^00000000\^\{_\}\|[*_~`:]+>/g, '')).not.toMatch(
            place === 'html' ? /[<>"']/ : /[<>]/,
          );
        }
      }),
    );
  });

  test('and ends no JSON string by a quote or a control character', () => {
    fc.assert(
      fc.property(source, text, (template, value) => {
        if (template.includes('tablerow')) return;
        const content = orNothing(() => shown(value, 'json', template));
        expect(typeof JSON.parse(`"${content}"`)).toBe('string');
        if (template === sources[0]) expect(JSON.parse(`"${content}"`)).toBe(value);
      }),
    );
  });

  test('and adds no control character to a header', () => {
    fc.assert(
      fc.property(source, text, (template, value) => {
        expect(orNothing(() => shown(value, 'header', template))).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      }),
    );
  });

  test('T21: and is never evaluated as a template', () => {
    fc.assert(
      fc.property(text, (value) => {
        for (const template of ['{{ metadata.text }}', '{metadata.text}', '{% echo metadata.text %}']) {
          expect(shown(value, 'plain', template)).toBe(value);
        }
      }),
    );
  });
});
