import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseTemplate } from '../src/index.js';
import { speakingOf } from './message.js';

const rendered = (source: string, payload: unknown = {}): string =>
  parseTemplate(source, 'plain').render(speakingOf(payload));

const minute = '{{ metadata.at | date: "%Y-%m-%d %H:%M" }}';

/** Renders a template with a payload. */
const cases: readonly (readonly [source: string, at: unknown, shown: string])[] = [
  // A time without an offset is in UTC.
  [minute, '2026-07-01 09:30:00', '2026-07-01 09:30'],
  [minute, '2026-07-01T09:30:00', '2026-07-01 09:30'],
  [minute, '2026-07-01T09:30:00.123456', '2026-07-01 09:30'],
  [minute, '2026-7-1 9:30', '2026-07-01 09:30'],
  [minute, '2026/07/01', '2026-07-01 00:00'],
  [minute, '2026-07-01', '2026-07-01 00:00'],
  [minute, '07-01-2026', '2026-07-01 00:00'],
  [minute, 'July 1, 2026', '2026-07-01 00:00'],
  [minute, ' 1 Jul 2026 10:00 PM ', '2026-07-01 22:00'],
  [minute, 'Wed Jul 01 2026 09:30:00', '2026-07-01 09:30'],
  // A time with an offset is converted.
  [minute, '2026-07-01T09:30:00Z', '2026-07-01 09:30'],
  [minute, '2026-07-01 09:30:00 +02:00', '2026-07-01 07:30'],
  [minute, '2026-07-01T09:30:00.5-0400', '2026-07-01 13:30'],
  [minute, 'Wed, 01 Jul 2026 09:30:00 GMT', '2026-07-01 09:30'],
  [minute, 'Wed, 01 Jul 2026 09:30:00 EST', '2026-07-01 14:30'],
  [minute, 'Wed Jul 01 2026 09:30:00 GMT+0200 (Central European Summer Time)', '2026-07-01 07:30'],
  [minute, 1782898200, '2026-07-01 09:30'],
  [minute, '1782898200', '2026-07-01 09:30'],
  // Times around a clock change in some server zones.
  [minute, '2026-03-08T02:30:00Z', '2026-03-08 02:30'],
  [minute, '2026-11-01T01:30:00Z', '2026-11-01 01:30'],
  [
    '{{ metadata.at | date: "%c, %x %X" }}',
    '2026-03-08T02:30:00Z',
    'Sun Mar  8 02:30:00 2026, 03/08/26 02:30:00',
  ],
  ['{{ metadata.at | date: "%H:%M %z", "Europe/Berlin" }}', '2026-03-29T00:59:00Z', '01:59 +0100'],
  [
    '{{ metadata.at | date: "%H:%M %:z %Z", "Europe/Berlin" }}',
    '2026-03-29T01:00:00Z',
    '03:00 +02:00 Europe/Berlin',
  ],
  ['{{ metadata.at | date: "%H:%M", "America/New_York" }}', '2026-11-01T06:30:00Z', '01:30'],
  ['{{ metadata.at | date: "%H:%M %z", "America/St_Johns" }}', '2026-12-01T00:00:00Z', '20:30 -0330'],
  ['{{ metadata.at | date: "%H:%M %z", 300 }}', '2026-07-01T09:30:00Z', '04:30 -0500'],
  ['{{ metadata.at | date: "%s", "America/New_York" }}', '2026-07-01T09:30:00Z', '1782898200'],
  ['{{ metadata.at | date }}', '2026-07-01T09:30:00Z', 'Wednesday, July 1, 2026 at 9:30 am +0000'],
  ['{{ metadata.at | date_to_xmlschema }}', '2026-07-01 09:30', '2026-07-01T09:30:00+00:00'],
  ['{{ metadata.at | date_to_rfc822 }}', '2026-07-01 09:30', 'Wed, 01 Jul 2026 09:30:00 +0000'],
  ['{{ metadata.at | date_to_string }}', '2026-07-01', '01 Jul 2026'],
  ['{{ metadata.at | date_to_string: "ordinal" }}', '2026-07-02', '2nd Jul 2026'],
  ['{{ metadata.at | date_to_long_string: "ordinal", "US" }}', '2026-07-13', 'July 13th, 2026'],
  // A value that is not a time stays unchanged.
  [minute, 'soon', 'soon'],
  [minute, null, ''],
];

describe('a date is shown', () => {
  test.each(cases)('%s of %j', (source, at, shown) => {
    expect(rendered(source, { at })).toBe(shown);
  });

  test.each(['America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe'])(
    'the same way by a server in %s',
    (TZ) => {
      const script = fileURLToPath(new URL('render-payloads.ts', import.meta.url));
      const given = JSON.stringify(cases.map(([source, at]) => [source, { at }]));
      const args = ['--conditions=@posthorn/source', '--import', 'tsx', script, given];
      const env = { ...process.env, TZ, LANG: 'de_DE.UTF-8', NODE_OPTIONS: '' };
      const output = execFileSync(process.execPath, args, { env, encoding: 'utf8' });
      expect(JSON.parse(output)).toEqual(cases.map(([, , shown]) => shown));
    },
  );

  test('an unknown zone is refused with its position', () => {
    expect(() => rendered('{{ occurred_at | date: "%H", "Mars/Base" }}')).toThrow(/^line 1, column 1: /);
  });
});

/** Results of Ruby 3.1.2's strftime. */
const ofRuby: readonly (readonly [at: string, format: string, answer: string])[] = [
  ['2027-01-03T00:00:00Z', '%a', 'Sun'],
  ['2027-01-03T00:00:00Z', '%A', 'Sunday'],
  ['2027-01-03T00:00:00Z', '%b', 'Jan'],
  ['2027-01-03T00:00:00Z', '%B', 'January'],
  ['2027-01-03T00:00:00Z', '%C', '20'],
  ['2027-01-03T00:00:00Z', '%d', '03'],
  ['2027-01-03T00:00:00Z', '%e', ' 3'],
  ['2027-01-03T00:00:00Z', '%g', '26'],
  ['2027-01-03T00:00:00Z', '%G', '2026'],
  ['2027-01-03T00:00:00Z', '%I', '12'],
  ['2027-01-03T00:00:00Z', '%j', '003'],
  ['2027-01-03T00:00:00Z', '%k', ' 0'],
  ['2027-01-03T00:00:00Z', '%l', '12'],
  ['2027-01-03T00:00:00Z', '%p', 'AM'],
  ['2027-01-03T00:00:00Z', '%P', 'am'],
  ['2027-01-03T00:00:00Z', '%s', '1798934400'],
  ['2027-01-03T00:00:00Z', '%u', '7'],
  ['2027-01-03T00:00:00Z', '%U', '01'],
  ['2027-01-03T00:00:00Z', '%V', '53'],
  ['2027-01-03T00:00:00Z', '%w', '0'],
  ['2027-01-03T00:00:00Z', '%W', '00'],
  ['2027-01-03T00:00:00Z', '%y', '27'],
  ['2027-01-03T00:00:00Z', '%%', '%'],
  ['2027-01-03T00:00:00Z', '%c', 'Sun Jan  3 00:00:00 2027'],
  ['2027-01-03T00:00:00Z', '%D', '01/03/27'],
  ['2027-01-03T00:00:00Z', '%F', '2027-01-03'],
  ['2027-01-03T00:00:00Z', '%r', '12:00:00 AM'],
  ['2027-01-03T00:00:00Z', '%R', '00:00'],
  ['2027-01-03T00:00:00Z', '%T', '00:00:00'],
  ['2027-01-03T00:00:00Z', '%v', ' 3-JAN-2027'],
  ['2027-01-03T00:00:00Z', '%x', '01/03/27'],
  ['2027-01-03T00:00:00Z', '%X', '00:00:00'],
  ['2027-01-03T00:00:00Z', '%z', '+0000'],
  ['2027-01-03T00:00:00Z', '%:z', '+00:00'],
  ['2027-01-03T00:00:00Z', '%L', '000'],
  ['2027-01-03T00:00:00Z', '%3N', '000'],
  ['2027-01-03T00:00:00Z', '%N', '000000000'],
  ['2027-01-03T00:00:00Z', '%-d', '3'],
  ['2027-01-03T00:00:00Z', '%_d', ' 3'],
  ['2027-01-03T00:00:00Z', '%05d', '00003'],
  ['2027-01-03T00:00:00Z', '%^a', 'SUN'],
  ['2027-01-03T00:00:00Z', '%#p', 'am'],
  ['2027-01-03T00:00:00Z', '%#B', 'JANUARY'],
  ['2027-01-03T00:00:00Z', '%10A', '    Sunday'],
  ['2027-01-03T00:00:00Z', '%-10A', 'Sunday'],
  ['2027-01-03T00:00:00Z', '%_H', ' 0'],
  ['2027-01-03T00:00:00Z', '%e-', ' 3-'],
  ['2027-01-03T00:00:00Z', '%Q', '%Q'],
  ['2024-12-30T23:59:59Z', '%j', '365'],
  ['2024-12-30T23:59:59Z', '%U', '52'],
  ['2024-12-30T23:59:59Z', '%W', '53'],
  ['2024-12-30T23:59:59Z', '%Y', '2024'],
  ['2024-12-30T23:59:59Z', '%010Y', '0000002024'],
  ['2024-12-30T23:59:59Z', '%-I:%M', '11:59'],
];

test.each(ofRuby)('%s in the format %j matches Ruby', (at, format, answer) => {
  expect(rendered(`{{ metadata.at | date: ${JSON.stringify(format)} }}`, { at })).toBe(answer);
});
