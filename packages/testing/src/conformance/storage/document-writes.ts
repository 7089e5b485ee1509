import assert from 'node:assert/strict';
import type { StoredDocument } from '@posthorn/core/storage';
import { same } from '../assertions.js';
import {
  created,
  documentRulesOf,
  isLaterBy,
  kind,
  listed,
  newDocument,
  over,
  read,
} from './document-sample.js';
import type { StorageRule } from './harness.js';
import { strangers } from './isolation.js';
import { pagesOf } from './pages.js';
import { acme, globex, hourMs, minuteMs, one } from './sample.js';

const present = <T>(list: readonly (T | undefined)[]): T[] =>
  list.filter((item): item is T & {} => item !== undefined);

/** How documents are replaced and deleted: by the version that is stored, and by no other. */
export const documentWriteRules: readonly StorageRule[] = documentRulesOf({
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
      const results: (StoredDocument | undefined)[] = await Promise.all(
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
});
