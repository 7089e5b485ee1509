import type { Message } from '@posthorn/core/channel';
import { describe, expect, test } from 'vitest';
import { type SmsConfigs, segmentsOf } from '../src/index.js';
import { textOf } from '../src/text.js';
import { event, message } from './message.js';

const to = { phone_numbers: ['+4915112345678'] };
const own = (of: Partial<Message<SmsConfigs>> = {}) => textOf(message(to, of), 3);
const rendered = (message_template: string, payload: unknown = {}) =>
  textOf(message({ ...to, message_template }, { event: { ...event, payload: JSON.stringify(payload) } }), 3);

describe('without a template', () => {
  test('a text shows the event type, its subject, the webhook and the time', () => {
    expect(own()).toBe('order.created\norder o1\nOrders, 2026-11-23 10:00 UTC');
    expect(own({ event: { ...event, subject: null } })).toBe('order.created\nOrders, 2026-11-23 10:00 UTC');
  });

  test('a digest shows its number of events, even for one', () => {
    const of = (count: number) => own({ digest: Array(count).fill({ event, payload: {} }) }).split('\n')[0];
    expect([of(1), of(2)]).toEqual(['1 event: order.created', '2 events: order.created x2']);
  });

  test('a digest shows as many types as fit, and the number of other events', () => {
    for (const name of ['Orders', 'Заказы', 'x'.repeat(200)]) {
      const digest = Array.from({ length: 300 }, (_, i) => ({
        event: { ...event, type: `order.kind${Math.floor(i / 2)}` },
        payload: {},
      }));
      const webhook = { id: 'wh_abcdefghij', tenantId: 'default', name };
      const text = own({ digest, webhook });
      expect(segmentsOf(text).parts.length).toBeLessThanOrEqual(3);
      const named = text.match(/order\.kind\d+ x2/g)!.length;
      expect(named).toBeGreaterThan(3);
      expect(text).toContain(`order.kind${named - 1} x2, and ${300 - 2 * named} more\n${name}, since `);
      expect(text.endsWith('UTC')).toBe(true);
    }
    const long = [{ event: { ...event, type: 'x'.repeat(200) }, payload: {} }];
    expect(textOf(message(to, { digest: long }), 1)).toMatch(/^1 event\nOrders, since/);
  });

  test('the fixed words of a text are in GSM-7, also in a digest', () => {
    const digest = [1, 2].map(() => ({ event, payload: {} }));
    for (const text of [own(), own({ digest })]) expect(segmentsOf(text).encoding).toBe('GSM-7');
  });

  test.each([
    ['line breaks', 'a\r\nb\rc\u2028d\u0085e', 'a\nb\nc\nd\ne'],
    ['controls', 'a\u0000b\u001bc\u007fd\te', 'abcd e'],
    ['direction marks', 'a\u202egnp.exe\u2066b', 'agnp.exeb'],
    ['a lone surrogate', 'a\ud83db', 'a\ufffdb'],
  ])('a subject with %s', (_, id, shown) => {
    expect(own({ event: { ...event, subject: { type: 'file', id } } })).toContain(`file ${shown}\n`);
  });
});

describe('with a template', () => {
  test('values are not escaped', () => {
    const name = `<b>&amp; "O'Neil" *x* {{ webhook.name }}`;
    expect(rendered('Hi {{ metadata.name }}, {event_type}', { name })).toBe(`Hi ${name}, order.created`);
  });

  test.each([
    ['{{ metadata.constructor }}{{ metadata.__proto__ }}{{ metadata.toString }}.', '.'],
    ["{{ constructor.constructor('return process')() }}."],
    ['{{ configs.phone_numbers }}{{ secrets }}{{ env }}.', '.'],
  ])('nothing outside of its context is shown: %s', (template, shown = undefined) => {
    let text: string | undefined;
    try {
      text = rendered(template);
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid_template' });
    }
    if (shown !== undefined) expect(text).toBe(shown);
    expect(text ?? '').not.toMatch(/4915112345678|process|function/);
  });

  test('a text is cut to maxSegments, with a mark', () => {
    const text = rendered('{{ metadata.long }}', { long: 'x'.repeat(50_000) });
    expect(text).toHaveLength(3 * 153);
    expect(text).toMatch(/x\.\.\.$/);
  });

  test('a text can iterate over the events of a digest', () => {
    const digest = ['order.created', 'order.paid'].map((type) => ({
      event: { ...event, type },
      payload: {},
    }));
    const message_template = '{% for one in events %}{{ one.type }};{% endfor %}';
    expect(textOf(message({ ...to, message_template }, { digest }), 3)).toBe('order.created;order.paid;');
  });

  test('a text of blanks and control characters only is refused', () => {
    expect(() => rendered(' \n{{ metadata.none }}\t')).toThrow(
      expect.objectContaining({ code: 'invalid_template' }),
    );
  });
});

test('numbers of the event keep their spelling', () => {
  const sent = { ...event, payload: '{"account":9007199254740993,"owed":42.00}' };
  const message_template = '{{ metadata.account }} owes {{ metadata.owed }}';
  expect(textOf(message({ phone_numbers: [], message_template }, { event: sent }), 3)).toBe(
    '9007199254740993 owes 42.00',
  );
});
