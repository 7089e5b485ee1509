import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { checkedText, configsSchema } from '../../src/channel.js';
import { PosthornError } from '../../src/errors.js';

const schema = configsSchema('chat', {
  url: checkedText(async (url) => {
    await null;
    if (url !== 'good') throw new PosthornError('url_invalid', 'url must be good');
  }),
  template: checkedText((text) => {
    if (text === '') return;
    const issues = [{ path: [0, 'text'], message: 'line 1, column 2: has no end' }];
    throw new PosthornError('invalid_template', 'is no template', { issues });
  }).nullish(),
  name: z.string().nullish(),
});

async function issuesOf(configs: unknown): Promise<Record<string, string>> {
  const { error } = await schema.safeParseAsync(configs);
  return Object.fromEntries((error?.issues ?? []).map(({ path, message }) => [path.join('.'), message]));
}

describe('the configs of a channel', () => {
  test('are accepted as they are; optional fields may be null', async () => {
    const configs = { url: 'good', template: null, name: null };
    expect(await schema.parseAsync(configs)).toEqual(configs);
  });

  test('with an unknown field are refused, and the error names the field', async () => {
    expect(await issuesOf({ url: 'good', nmae: 'x', extra: undefined })).toEqual({
      nmae: 'is no field of a chat channel',
      extra: 'is no field of a chat channel',
    });
  });

  test('with an own field __proto__ are refused', async () => {
    const issues = await issuesOf(JSON.parse('{"url":"good","__proto__":{"name":"x"}}'));
    expect(Object.entries(issues)).toEqual([['__proto__', 'is no field of a chat channel']]);
  });

  test.each([null, undefined, 'text', 1, []])('that are %j are refused', async (configs) => {
    expect(await issuesOf(configs)).toEqual({ '': 'must be an object' });
  });

  test('report the issue that the check of a text throws, at its path', async () => {
    expect(await issuesOf({ url: 'bad', template: '{{' })).toEqual({
      url: 'url must be good',
      'template.0.text': 'line 1, column 2: has no end',
    });
    expect(await issuesOf({ url: 5 })).toEqual({ url: 'must be a string' });
  });

  test('do not hide an error that is not a PosthornError', async () => {
    const broken = configsSchema('chat', {
      url: checkedText(() => {
        throw new TypeError('a bug');
      }),
    });
    await expect(broken.safeParseAsync({ url: 'x' })).rejects.toThrow('a bug');
  });
});
