import assert from 'node:assert/strict';
import type { Document } from '@posthorn/core';
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
import { oddTenants, strangers } from './isolation.js';
import {
  acme,
  globex,
  hourMs,
  idsOf,
  minuteMs,
  nextCursorOf,
  oddTexts,
  one,
  pagesOf,
  rejectsWith,
  sorted,
  strangeCursors,
} from './sample.js';

const present = <T>(list: readonly (T | undefined)[]): T[] =>
  list.filter((item): item is T & {} => item !== undefined);

/** What is kept of a document, and who sees it. */
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

  'put replaces body and due time of the version that it names': async ({ documents, advance }) => {
    const first = await created(documents, { dueInMs: hourMs });
    await advance(hourMs);
    const second = await documents.put(over(first, { body: '{"text":"second"}' }), 1);
    same(second, {
      ...first,
      version: 2,
      body: '{"text":"second"}',
      dueAt: null,
      updatedAt: second?.updatedAt,
    });
    isLaterBy(hourMs, second?.updatedAt, first.updatedAt, 'it was written an hour later');
    same(await read(documents, first), second);
    const third = await documents.put(over(first, { body: '{}', dueInMs: minuteMs }), 2);
    assert.equal(third?.version, 3);
    assert.equal(Number(third?.dueAt) - Number(third?.updatedAt), minuteMs);
    same(await listed(documents), [third]);
  },

  'put writes nothing where another version is stored, or no document': async ({ documents }) => {
    const first = await created(documents);
    const second = await documents.put(over(first, { body: '{}' }), 1);
    for (const version of [0, 1, 3, 4, 1_000_000]) {
      assert.equal(await documents.put(over(first, { body: '"late"', dueInMs: 0 }), version), undefined);
    }
    same(await read(documents, first), second);
    for (const version of [1, 2]) assert.equal(await documents.put(newDocument(), version), undefined);
    same(await listed(documents), [second]);
  },

  'put writes nothing of another tenant, whose version it names': async ({ documents }) => {
    const document = await created(documents);
    for (const tenantId of strangers) {
      for (const body of ['"stolen"', null]) {
        assert.equal(await documents.put(over(document, { tenantId, body }), 1), undefined, tenantId);
      }
    }
    same(await read(documents, document), document);
  },

  'of many writes of one version one succeeds, and is what is there': async ({ documents, others }) => {
    let document = await created(documents);
    for (let round = 0; round < 5; round++) {
      const { version } = document;
      const results: (Document | undefined)[] = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          (i % 2 === 0 ? documents : others).put(over(document, { body: `{"by":${i}}` }), version),
        ),
      );
      document = one(present(results));
      assert.equal(document.version, version + 1);
      same(await read(documents, document), document);
    }
  },

  'what two processes add up by compare and set loses nothing': async ({ documents, others }) => {
    const { id } = await created(documents, { body: '0' });
    const add = async (by: typeof documents): Promise<void> => {
      for (let added = 0; added < 10; ) {
        const before = await read(by, { id });
        const body = String(Number(before!.body) + 1);
        if (await by.put(over(before!, { body }), before!.version)) added++;
      }
    };
    await Promise.all([add(documents), add(others), add(documents)]);
    const { body, version } = (await read(others, { id }))!;
    same([body, version], ['30', 31]);
  },

  'put with no body deletes the version that it names, and resolves to it': async ({
    documents,
    advance,
  }) => {
    const other = await created(documents);
    const document = await created(documents, { dueInMs: 0 });
    await advance(minuteMs);
    same(await documents.put(over(document, { body: null, dueInMs: 0 }), 1), document);
    assert.equal(await read(documents, document), undefined);
    same(await listed(documents), [other]);
    assert.equal(await documents.due(kind, hourMs), undefined);
    for (const version of [0, 1, 2]) {
      assert.equal(await documents.put(over(document, { body: null }), version), undefined);
    }
    assert.equal(await documents.put(over(document), 1), undefined);
  },

  'put with no body deletes nothing where another version is stored': async ({ documents }) => {
    const first = await created(documents);
    const second = await documents.put(over(first), 1);
    for (const version of [0, 1, 3]) {
      assert.equal(await documents.put(over(first, { body: null }), version), undefined);
    }
    same(await read(documents, first), second);
  },

  'an id that a deletion freed is created anew, as the newest, by whichever tenant': async ({
    documents,
    advance,
  }) => {
    const first = await created(documents);
    const second = await created(documents);
    await documents.put(over(first), 1);
    await documents.put(over(first, { body: null }), 2);
    await advance(hourMs);
    const again = await created(documents, { id: first.id });
    assert.equal(again.version, 1);
    isLaterBy(hourMs, again.createdAt, first.createdAt, 'it is new');
    // One a page: its place is that of no other.
    same((await pagesOf((page) => documents.list(kind, acme, page), 1)).flat(), [again, second]);
    await documents.put(over(again, { body: null }), 1);
    const theirs = await created(documents, { id: first.id, tenantId: globex });
    same([await listed(documents), await listed(documents, globex)], [[second], [theirs]]);
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

  'a list begins with what was created last, whatever was written since': async ({ documents, advance }) => {
    const all: Document[] = [];
    for (let i = 0; i < 6; i++) {
      all.unshift(await created(documents, { dueInMs: i }));
      await created(documents, { tenantId: globex });
      if (i % 2 === 0) await advance(minuteMs);
    }
    all[4] = (await documents.put(over(all[4]!), 1))!;
    all[1] = (await documents.put(over(all[1]!, { dueInMs: hourMs }), 1))!;
    same(await listed(documents), all);
  },

  'pages hold each document once, and the last one has no cursor even if it is full': async ({
    documents,
  }) => {
    const all: Document[] = [];
    for (let i = 0; i < 6; i++) {
      all.unshift(await created(documents));
      await created(documents, { tenantId: globex });
      await documents.put(newDocument({ kind: otherKind }), 0);
    }
    for (const limit of [1, 2, 3, 4, 6]) {
      const pages = await pagesOf((page) => documents.list(kind, acme, page), limit);
      same(pages.flat(), all, `in pages of ${limit}`);
      assert.equal(pages.length, Math.ceil(6 / limit), `six in pages of ${limit}`);
    }
  },

  'what is created, written or deleted between two pages moves no other': async ({ documents }) => {
    const all: Document[] = [];
    for (let i = 0; i < 5; i++) all.unshift(await created(documents));
    const first = await documents.list(kind, acme, { limit: 2 });
    same(first.items, all.slice(0, 2));
    await created(documents);
    await documents.put(over(all[4]!), 1);
    // The one that the page ended with.
    await documents.put(over(all[1]!, { body: null }), 1);
    await documents.put(over(all[2]!, { body: null }), 1);
    await created(documents, { id: all[1]!.id });
    const next = await documents.list(kind, acme, { limit: 2, cursor: nextCursorOf(first) });
    assert.deepEqual(idsOf(next.items), idsOf(all.slice(3)));
    assert.equal(next.nextCursor, null);
  },

  'a cursor that no page came with is refused': async ({ documents }) => {
    for (let i = 0; i < 3; i++) await created(documents);
    for (const cursor of strangeCursors) {
      await rejectsWith('invalid_option', documents.list(kind, acme, { limit: 1, cursor }), cursor);
    }
  },

  'a list sees nothing of another tenant, and nothing of another kind': async ({ documents }) => {
    const document = await created(documents);
    await documents.put(newDocument({ kind: otherKind }), 0);
    for (const stranger of strangers) {
      same(await documents.list(kind, stranger, { limit: 10 }), { items: [], nextCursor: null }, stranger);
    }
    same(await documents.list('not', acme, { limit: 10 }), { items: [], nextCursor: null });
    same(await listed(documents), [document]);
  },

  'tenants whose names are alike or odd have each their own documents': async ({ documents }) => {
    const all: Document[] = [];
    for (const tenantId of oddTenants) all.push(await created(documents, { tenantId }));
    for (const [i, tenantId] of oddTenants.entries()) {
      same(await listed(documents, tenantId), [all[i]], `the documents of ${tenantId}`);
    }
  },

  'a list without a tenant holds the documents of all, each once, whatever comes and goes meanwhile': async ({
    documents,
  }) => {
    const all: Document[] = [];
    for (const tenantId of [acme, globex, '📯', acme, globex, acme, 'b']) {
      all.push(await created(documents, { tenantId }));
    }
    await documents.put(newDocument({ kind: otherKind }), 0);
    same(sorted(idsOf(await listedOfAll(documents))), sorted(idsOf(all)));
    const seen: Document[] = [];
    let cursor: string | null = null;
    do {
      const query = { limit: 2, ...(cursor !== null && { cursor }) };
      const page: Awaited<ReturnType<typeof documents.list>> = await documents.list(kind, undefined, query);
      ok(page.items.length <= 2, 'a page holds no more than its limit');
      ok(seen.length < 100, 'the pages end');
      // What was seen goes, and something else comes.
      for (const document of page.items) await documents.put(over(document, { body: null }), 1);
      if (seen.length < 4) await created(documents, { tenantId: 'late' });
      seen.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== null);
    const early = seen.filter(({ tenantId }) => tenantId !== 'late');
    assert.deepEqual(sorted(idsOf(early)), sorted(idsOf(all)));
    assert.equal(new Set(idsOf(seen)).size, seen.length, 'none is on two pages');
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
