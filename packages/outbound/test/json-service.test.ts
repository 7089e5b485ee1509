import type { LookupFunction } from 'node:net';
import { PosthornError } from '@posthorn/core';
import { type RawReceiver, rawReceiver, response } from '@posthorn/testing/hostile-receiver';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type JsonService, type JsonServiceOptions, jsonService } from '../src/index.js';

const hosts = ['chat.example.com', '*.chat.example.net'];
const local = { hosts: ['127.0.0.1'], outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } };

function service(options: JsonServiceOptions = {}): JsonService {
  const made = jsonService('chatChannel', hosts, options);
  onTestFinished(() => made.outbound.close());
  return made;
}

async function answering(text: (request: string) => string): Promise<RawReceiver> {
  const receiver = await rawReceiver((socket, request) => socket.write(text(request)));
  onTestFinished(() => receiver.close());
  return receiver;
}

const signal = new AbortController().signal;
const nothing = () => ({});

/** Fails for every name. */
const lookup: LookupFunction = (_, __, callback) =>
  callback(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }), []);

describe('a URL', () => {
  test.each(['https://chat.example.com/hook', 'https://a.b.chat.example.net/hook?sig=1'])(
    '%s of the service is taken, though its name leads nowhere yet',
    async (url) => {
      await service({ outbound: { policy: { lookup } } }).checkUrl(url);
    },
  );

  test.each([
    ['of another host', 'https://evil.example/hook', 'address_forbidden'],
    ['of a host that ends alike', 'https://chat.example.com.evil.example/hook', 'address_forbidden'],
    ['of a host that begins alike', 'https://evilchat.example.com/hook', 'address_forbidden'],
    ['with the service as its user name', 'https://chat.example.com@evil.example/', 'address_forbidden'],
    ['with a password', 'https://a:b@chat.example.com/hook', 'url_credentials'],
    ['of plain HTTP', 'http://chat.example.com/hook', 'url_scheme'],
    ['of an allowed host that is not public', 'https://127.0.0.1/hook', 'address_forbidden'],
    ['with a port of its own', 'https://chat.example.com:444/hook', 'url_port'],
    ['with a port of its own, below', 'https://a.chat.example.net:8443/hook', 'url_port'],
    ['that is none', 'chat.example.com/hook', 'url_invalid'],
    ['with a line break', 'https://chat.example.com/\nhook', 'url_invalid'],
  ])('%s is refused', async (_, url, code) => {
    const checking = service({ hosts: ['127.0.0.1'] }).checkUrl(url);
    await expect(checking).rejects.toMatchObject({ code, issues: [{ path: [] }] });
  });

  test('that is refused is reported with the allowed hosts and how to allow others', async () => {
    await expect(service().checkUrl('https://evil.example/')).rejects.toThrow(
      'must be a URL of chat.example.com or *.chat.example.net; the host application allows others with hosts',
    );
  });
});

describe('a post', () => {
  test('sends JSON once and turns the response into a verdict', async () => {
    const receiver = await answering(() => response(200, '{"code":7}'));
    const read = (answer: { readonly status: number }, fields: object) =>
      ({ outcome: 'delivered', status: answer.status, response: JSON.stringify(fields) }) as const;
    const url = `${receiver.url}?a=1`;
    const verdict = await service(local).post({ url, body: () => ({ text: 'Grüße' }), signal }, read);
    expect(verdict).toEqual({ outcome: 'delivered', status: 200, response: '{"code":7}' });
    expect(receiver.requests).toHaveLength(1);
    expect(receiver.requests[0]).toMatch(/^POST \/hook\?a=1 HTTP\/1\.1\r\n/);
    expect(receiver.requests[0]).toMatch(/content-type: application\/json; charset=utf-8\r\n/i);
    expect(Buffer.from(receiver.requests[0]!, 'latin1').toString()).toMatch(/\r\n\r\n\{"text":"Grüße"\}$/);
  });

  test('is serialized by the given function', async () => {
    const receiver = await answering(() => response(200, '{}'));
    const write = (body: unknown) => `[${JSON.stringify(body)}]`;
    await service(local).post({ url: receiver.url, body: () => 42, write, signal });
    expect(receiver.requests[0]).toMatch(/\r\n\r\n\[42\]$/);
  });

  test('to a stored host that the rules no longer allow is not sent', async () => {
    const receiver = await answering(() => response(200));
    const post = service({ outbound: local.outbound }).post({ url: receiver.url, body: nothing, signal });
    expect(await post).toMatchObject({ outcome: 'failed', kind: 'address_forbidden' });
    expect(receiver.requests).toEqual([]);
  });

  test('to an invalid URL is not sent', async () => {
    const verdict = await service().post({ url: 'nowhere', body: nothing, signal });
    expect(verdict).toMatchObject({ outcome: 'failed', kind: 'config' });
  });

  test('whose body cannot be built is not sent', async () => {
    const receiver = await answering(() => response(200));
    const body = () => {
      throw new PosthornError('invalid_template', 'line 1, column 1: no');
    };
    const verdict = await service(local).post({ url: receiver.url, body, signal });
    expect(verdict).toEqual({ outcome: 'failed', kind: 'config', message: 'line 1, column 1: no' });
    expect(receiver.requests).toEqual([]);
  });

  test('redacts the secrets of its URL and the given ones from the verdict', async () => {
    const receiver = await answering((request) => response(500, `${request} and only sig-0123456789abcdef`));
    const url = `${receiver.url}/T0/token-0123456789abcdef?sig=sig-0123456789abcdef&v=1`;
    const headers = { authorization: 'Bearer bot-0123456789abcdef' };
    const secrets = ['bot-0123456789abcdef'];
    const verdict = await service(local).post({ url, body: nothing, headers, secrets, signal });
    expect(verdict).toMatchObject({ outcome: 'failed', status: 500 });
    expect(verdict.response).toMatch(/^POST \*\*\* HTTP/);
    expect(JSON.stringify(verdict)).not.toMatch(/0123456789abcdef/);
  });

  test('without a response has failed, with the kind of the failure', async () => {
    const receiver = await rawReceiver((socket) => socket.destroy());
    onTestFinished(() => receiver.close());
    const verdict = await service(local).post({ url: receiver.url, body: nothing, signal });
    expect(verdict).toMatchObject({ outcome: 'failed', kind: 'reset' });
  });
});

describe('options', () => {
  test.each([
    [null, 'options of chatChannel must be an object, not null'],
    ['text', 'options of chatChannel must be an object, not a string'],
    [{ host: 'x' }, 'unknown option host of chatChannel'],
    [{ hosts: 'a.example' }, 'hosts must be an array, not a string'],
    [{ hosts: ['https://a.example'] }, /^hosts must hold names like/],
    [{ outbound: 5 }, 'outbound must be an Outbound or its options, not a number'],
    [{ outbound: { tiemoutMs: 5 } }, /unknown option tiemoutMs/],
  ])('%j are refused', (options, message) => {
    const make = () => jsonService('chatChannel', hosts, options as JsonServiceOptions);
    expect(make).toThrow(PosthornError);
    expect(make).toThrow(message);
  });
});
