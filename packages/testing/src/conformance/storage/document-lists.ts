import assert from 'node:assert/strict';
import type { StoredDocument } from '@posthorn/core/storage';
import { ok, rejectsWith, same } from '../assertions.js';
import {
  created,
  documentRulesOf,
  kind,
  listed,
  listedOfAll,
  newDocument,
  otherKind,
  over,
} from './document-sample.js';
import type { StorageRule } from './harness.js';
import { oddTenants, strangers } from './isolation.js';
import { strangeCursors } from './odd-values.js';
import { nextCursorOf, pagesOf } from './pages.js';
import { acme, globex, hourMs, idsOf, minuteMs, sorted } from './sample.js';

/** Which documents a list holds, in which order. */
export const documentListRules: readonly StorageRule[] = documentRulesOf({
  'a list begins with what was created last, whatever was written since': async ({ documents, advance }) => {
    const all: StoredDocument[] = [];
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
    const all: StoredDocument[] = [];
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
    const all: StoredDocument[] = [];
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
    const all: StoredDocument[] = [];
    for (const tenantId of oddTenants) all.push(await created(documents, { tenantId }));
    for (const [i, tenantId] of oddTenants.entries()) {
      same(await listed(documents, tenantId), [all[i]], `the documents of ${tenantId}`);
    }
  },

  'a list without a tenant holds the documents of all, each once, whatever comes and goes meanwhile': async ({
    documents,
  }) => {
    const all: StoredDocument[] = [];
    for (const tenantId of [acme, globex, '📯', acme, globex, acme, 'b']) {
      all.push(await created(documents, { tenantId }));
    }
    await documents.put(newDocument({ kind: otherKind }), 0);
    same(sorted(idsOf(await listedOfAll(documents))), sorted(idsOf(all)));
    const seen: StoredDocument[] = [];
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
});
