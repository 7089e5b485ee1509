import { expect, test } from 'vitest';
import { emailConfigs } from '../src/configs.js';

type Refusal = { readonly path: string; readonly message: string };

async function validate(configs: unknown): Promise<{ value?: unknown; refusals: Refusal[] }> {
  const result = await emailConfigs['~standard'].validate(configs);
  return result.issues
    ? { refusals: result.issues.map(({ path = [], message }) => ({ path: path.join('.'), message })) }
    : { value: result.value, refusals: [] };
}

const valid = { to_addresses: ['ada@example.com'] };
const many = (count: number) => Array.from({ length: count }, (_, i) => `r${i}@example.com`);

test('accepts all fields, and null for optional ones', async () => {
  const full = {
    to_addresses: ['ada@example.com', 'grace@bücher.example'],
    subject_template: '{{ event.type }}',
    body_template: '<p>{{ event.payload.id }}</p>',
    content_type: 'html',
    cc_addresses: ['alan@example.com'],
    bcc_addresses: [],
  };
  expect(await validate(full)).toEqual({ value: full, refusals: [] });
  const nulls = {
    to_addresses: ['ada@example.com'],
    subject_template: null,
    body_template: null,
    content_type: null,
    cc_addresses: null,
    bcc_addresses: null,
  };
  expect(await validate(nulls)).toEqual({ value: nulls, refusals: [] });
});

test('accepts recipients as another name for to_addresses, but not both', async () => {
  expect((await validate({ recipients: ['ada@example.com'] })).value).toEqual(valid);
  expect((await validate({ recipients: ['ada@example.com'], to_addresses: null })).value).toEqual(valid);
  expect((await validate({ ...valid, recipients: null })).value).toEqual(valid);
  expect((await validate({ ...valid, recipients: ['ada@example.com'] })).refusals).toEqual([
    { path: 'recipients', message: 'is another name for to_addresses: use only one of them' },
  ]);
});

test.each([
  [{}, 'to_addresses'],
  [{ to_addresses: null }, 'to_addresses'],
  [{ to_addresses: [] }, 'to_addresses'],
  [{ to_addresses: 'ada@example.com' }, 'to_addresses'],
  [{ to_addresses: ['ada@example.com', 5] }, 'to_addresses.1'],
  [{ to_addresses: ['a@example.com, b@evil.example'] }, 'to_addresses.0'],
  [{ ...valid, cc_addresses: ['Ada <ada@example.com>'] }, 'cc_addresses.0'],
  [{ ...valid, bcc_addresses: ['ada'] }, 'bcc_addresses.0'],
  [{ ...valid, content_type: 'text/html' }, 'content_type'],
  [{ ...valid, subject_template: 5 }, 'subject_template'],
  [{ ...valid, to_adresses: [] }, 'to_adresses'],
  [{ to_addresses: many(51) }, 'to_addresses'],
  [{ to_addresses: many(30), cc_addresses: many(20), bcc_addresses: many(1) }, 'to_addresses'],
])('refuses %j, at %s', async (configs, path) => {
  expect((await validate(configs)).refusals.map((refusal) => refusal.path)).toEqual([path]);
});

test('accepts 50 recipients in total', async () => {
  const configs = { to_addresses: many(30), cc_addresses: many(10), bcc_addresses: many(10) };
  expect((await validate(configs)).refusals).toEqual([]);
});

test('refuses a field called __proto__, which JSON can contain', async () => {
  const configs = JSON.parse('{"to_addresses":["ada@example.com"],"__proto__":{"x":1}}');
  expect((await validate(configs)).refusals).toEqual([
    { path: '__proto__', message: 'is no field of an email channel' },
  ]);
});

test('T17: refuses every option of a mail and of its transport', async () => {
  for (const field of [
    'size',
    'name',
    'list',
    'raw',
    'attachments',
    'path',
    'href',
    'icalEvent',
    'headers',
    'envelope',
  ]) {
    const { refusals } = await validate({ ...valid, [field]: 'x' });
    expect(refusals).toEqual([{ path: field, message: 'is no field of an email channel' }]);
  }
});

test('refuses a template that cannot be parsed in the language of its content type, with line and column', async () => {
  expect((await validate({ ...valid, subject_template: 'Hi {{ event.type' })).refusals).toEqual([
    { path: 'subject_template', message: expect.stringMatching(/^line 1, column \d+: /) },
  ]);
  for (const content_type of ['plain_text', 'html', 'markdown', null]) {
    const body_template = 'a\n{% if %}';
    expect((await validate({ ...valid, content_type, body_template })).refusals).toEqual([
      { path: 'body_template', message: expect.stringMatching(/^line 2, column \d+: /) },
    ]);
  }
  const json = { ...valid, content_type: 'json', body_template: '{"a":{"b":"{{ event.type"}}' };
  expect((await validate(json)).refusals).toEqual([
    { path: 'body_template.a.b', message: expect.stringContaining('line 1, column ') },
  ]);
});
