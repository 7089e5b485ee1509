import * as template from '@posthorn/template';
import { beforeAll, expect, test, vi } from 'vitest';

/** Another copy of the package in this process: its CommonJS build beside ESM, or another version. */
let other: typeof template;
beforeAll(async () => {
  vi.resetModules();
  other = await import('@posthorn/template');
});

test('a number of one copy keeps its spelling when the other renders and writes it', () => {
  expect(other.WrittenNumber).not.toBe(template.WrittenNumber);
  const total = new other.WrittenNumber('1.10');
  expect(total).toBeInstanceOf(template.WrittenNumber);
  expect(template.writeJson({ total })).toBe('{"total":1.10}');
  expect({ toString: () => '1.10' }).not.toBeInstanceOf(template.WrittenNumber);
});

test('a placeholder in a shape of one copy is a placeholder to the other', () => {
  expect(other.parseJsonTemplate('{{ metadata }}').shape).toBe(template.anyValue);
});
