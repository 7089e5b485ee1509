import assert from 'node:assert/strict';
import { ok, same } from '../assertions.js';
import { frozen } from '../frozen.js';
import { vandalise } from '../vandalise.js';
import {
  created,
  documentRulesOf,
  isLaterBy,
  kind,
  listed,
  listedOfAll,
  newDocument,
  newDocumentId,
  otherKind,
  over,
  read,
} from './document-sample.js';
import type { StorageRule } from './harness.js';
import { oddTexts } from './odd-values.js';
import { acme, globex, hourMs, one } from './sample.js';

const present = <T>(list: readonly (T | undefined)[]): T[] =>
  list.filter((item): item is T & {} => item !== undefined);

/** How documents are created, found and kept. */
export const documentRules: readonly StorageRule[] = documentRulesOf({
  'a document is created as it was given, as version 1, by the clock of the storage': async ({
    documents,
    advance,
  }) => {
    const first = await created(documents);
    await advance(hourMs);
    const given = newDocument({ tenantId: globex, body: '{"b":1.10, "a":[]}' });
    const document = await documents.put(given, 0);
    ok(document, 'it is created');
    const { createdAt } = document;
    const { dueInMs: _, ...kept } = given;
    same(document, { ...kept, version: 1, dueAt: null, createdAt, updatedAt: createdAt });
    isLaterBy(hourMs, createdAt, first.createdAt, 'an hour has passed');
    same(await read(documents, given), document);
  },

  'a document is due so long after it is written, or never': async ({ documents }) => {
    for (const dueInMs of [0, 1, hourMs, 1_000 * hourMs]) {
      const { dueAt, updatedAt, id } = await created(documents, { dueInMs });
      assert.equal(Number(dueAt) - updatedAt.getTime(), dueInMs);
      same((await read(documents, { id }))?.dueAt, dueAt);
    }
    assert.equal((await created(documents)).dueAt, null);
  },

  'get says what time it is, also where there is no document': async ({ documents, advance }) => {
    const { id, createdAt } = await created(documents);
    await advance(hourMs);
    isLaterBy(hourMs, (await documents.get(kind, id)).at, createdAt, 'of a document');
    const { document, at } = await documents.get(kind, newDocumentId());
    assert.equal(document, undefined);
    isLaterBy(hourMs, at, createdAt, 'of none');
  },

  'a document is found by its kind and id, of whichever tenant, and by nothing else': async ({
    documents,
  }) => {
    const ours = await created(documents);
    const theirs = await created(documents, { tenantId: globex });
    same(await read(documents, ours), ours);
    same(await read(documents, theirs), theirs);
    const swapped = ours.id.replace(/[a-z]|[A-Z]/g, (letter) =>
      letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
    );
    const ids = ['', 'note_', '%', 'note_%', '__proto__', 'constructor', ours.body, acme, swapped];
    for (const id of ids) assert.equal(await read(documents, { id }), undefined, `found by ${id}`);
    for (const other of [otherKind, 'note-', 'not', '__proto__']) {
      assert.equal((await documents.get(other, ours.id)).document, undefined, `found as ${other}`);
    }
  },

  'documents of two kinds may have one id, and know nothing of each other': async ({ documents }) => {
    const note = await created(documents);
    const other = await documents.put(newDocument({ kind: otherKind, id: note.id, tenantId: globex }), 0);
    ok(other, 'the id is free for another kind');
    await documents.put(over(note, { body: null }), 1);
    same((await documents.get(otherKind, note.id)).document, other);
    same(await documents.list(otherKind, globex, { limit: 10 }), { items: [other], nextCursor: null });
    same(await listedOfAll(documents), []);
  },

  'an id that is taken is not created again, by whichever tenant and however often it was written': async ({
    documents,
  }) => {
    const first = await created(documents);
    const taken = async (): Promise<void> => {
      const before = await read(documents, first);
      for (const tenantId of [acme, globex]) {
        const thief = newDocument({ id: first.id, tenantId, body: '{"text":"stolen"}', dueInMs: 0 });
        assert.equal(await documents.put(thief, 0), undefined);
      }
      same(await read(documents, first), before);
      same(await listed(documents), [before]);
      same(await listed(documents, globex), []);
    };
    await taken();
    await documents.put(over(first, { body: '{"text":"second"}' }), 1);
    await taken();
  },

  'of many that create one id at the same time one does': async ({ documents, others }) => {
    const id = newDocumentId();
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        (i % 2 === 0 ? documents : others).put(newDocument({ id, body: `{"by":${i}}` }), 0),
      ),
    );
    same(await listed(documents), [one(present(results))]);
  },

  'a body is kept letter for letter': async ({ documents }) => {
    const bodies = [
      ...oddTexts,
      ...oddTexts.map((text) => JSON.stringify({ text })),
      '',
      ' {"b" : 1.10,\n"a":1e2, "a":"\\u0041\\/"} ',
      '{"\\u0000":"\\ud800"}',
      'null',
      '𝒳 ünï 📯 e\u0301 \u00e9 "\'\\',
    ];
    for (const body of bodies) {
      const document = await created(documents, { body });
      assert.equal(document.body, body);
      assert.equal((await read(documents, document))?.body, body);
      const written = await documents.put(over(document, { body: body + body }), 1);
      assert.equal(written?.body, body + body);
    }
    const all = await listed(documents);
    same(
      all.map(({ body }) => body),
      bodies.map((body) => body + body).reverse(),
    );
  },

  'a body may have a megabyte, and a due document, too': async ({ documents }) => {
    const body = JSON.stringify({ text: 'ünï 📯 '.repeat(80_000) });
    const document = await created(documents, { body, dueInMs: 0 });
    assert.equal(document.body, body);
    assert.equal((await documents.due(kind, hourMs))?.body, body);
    assert.equal(one(await listed(documents)).body, body);
  },

  'what is given or handed out can change or be frozen, and what is stored does not': async ({
    documents,
  }) => {
    const given = newDocument({ dueInMs: 0 });
    const copy = { ...given };
    const document = (await documents.put(given, 0))!;
    const expected = structuredClone(document);
    vandalise(given);
    vandalise(document);
    const found = await documents.get(copy.kind, copy.id);
    same(found.document, expected);
    vandalise(found);
    vandalise(await documents.list(kind, acme, { limit: 10 }));
    same(await listed(documents), [expected]);
    const taken = (await documents.due(kind, hourMs))!;
    const then = structuredClone(taken);
    vandalise(taken);
    same(await read(documents, copy), then);
    const written = await documents.put(frozen({ ...copy, body: '{}' }), 2);
    const last = structuredClone(written!);
    vandalise(written);
    same(await read(documents, copy), last);
  },
});
