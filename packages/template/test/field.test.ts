import { expect, test } from 'vitest';
import { z } from 'zod';
import { templateField } from '../src/index.js';

const configs = z.strictObject({ text: templateField('mrkdwn').nullish() });

test('a config field accepts a template and null', async () => {
  for (const text of ['{{ event_type }}', '', null]) {
    expect(await configs.parseAsync({ text })).toEqual({ text });
  }
});

test('an invalid template is reported with line and column', async () => {
  expect((await configs.safeParseAsync({ text: 'a\n{{ b' })).error?.issues).toMatchObject([
    { path: ['text'], message: 'line 2, column 1: {{ is not closed' },
  ]);
  expect((await configs.safeParseAsync({ text: '{{ a | raw }}' })).error?.issues).toMatchObject([
    { path: ['text'] },
  ]);
});

test('a value that is not a string is refused', async () => {
  expect((await configs.safeParseAsync({ text: 5 })).error?.issues).toMatchObject([
    { path: ['text'], message: 'must be a string' },
  ]);
});
