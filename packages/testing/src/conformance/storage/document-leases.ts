import assert from 'node:assert/strict';
import { same } from '../assertions.js';
import {
  created,
  documentRulesOf,
  isLaterBy,
  kind,
  leased,
  listed,
  newDocument,
  otherKind,
  over,
  read,
} from './document-sample.js';
import type { StorageRule } from './harness.js';
import { acme, globex, hourMs, idsOf, minuteMs, sorted } from './sample.js';

const leaseMs = hourMs;

/** Rules for leasing documents, and for writing under a lease. */
export const documentLeaseRules: readonly StorageRule[] = documentRulesOf({
  'due resolves to nothing when there is no document, or none of the kind': async ({
    documents,
    advance,
  }) => {
    assert.equal(await documents.due(kind, leaseMs), undefined);
    await created(documents);
    await created(documents, { dueInMs: 3 * hourMs });
    await documents.put(newDocument({ kind: otherKind, dueInMs: 0 }), 0);
    await advance(hourMs);
    assert.equal(await documents.due(kind, leaseMs), undefined);
  },

  'due leases the document by a write, and the document is due again when the lease ends': async ({
    documents,
    advance,
  }) => {
    const document = await created(documents, { dueInMs: 0 });
    await advance(minuteMs);
    const taken = await leased(documents, leaseMs);
    same(taken, { ...document, version: 2, dueAt: taken.dueAt, updatedAt: taken.updatedAt });
    assert.equal(Number(taken.dueAt) - taken.updatedAt.getTime(), leaseMs);
    isLaterBy(
      minuteMs,
      taken.updatedAt,
      document.updatedAt,
      'the lease must set updatedAt to a minute later',
    );
    same(await read(documents, document), taken);
    same(await listed(documents), [taken]);
  },

  "a lease lasts leaseMs by the storage's clock: the document is not due before, and due then with another version":
    async ({ documents, advance }) => {
      await created(documents, { dueInMs: 0 });
      const first = await leased(documents, leaseMs);
      await advance(leaseMs - minuteMs);
      assert.equal(await documents.due(kind, leaseMs), undefined);
      await advance(minuteMs);
      const second = await leased(documents, leaseMs);
      assert.equal(second.id, first.id);
      assert.equal(second.version, 3);
      assert.equal(await documents.due(kind, leaseMs), undefined);
    },

  "a document is due at its time by the storage's clock, and not before": async ({ documents, advance }) => {
    const { id } = await created(documents, { dueInMs: hourMs });
    await advance(hourMs - minuteMs);
    assert.equal(await documents.due(kind, leaseMs), undefined);
    await advance(minuteMs);
    const taken = await leased(documents, leaseMs);
    assert.equal(taken.id, id);
    await documents.put(over(taken, { dueInMs: 2 * leaseMs }), 2);
    await advance(2 * leaseMs - minuteMs);
    assert.equal(await documents.due(kind, leaseMs), undefined);
    await advance(minuteMs);
    assert.equal((await leased(documents, leaseMs)).version, 4);
  },

  'the document that has been due longest is leased first, across tenants': async (under) => {
    const { documents, advance } = under;
    const all = [];
    for (const [i, tenantId] of [acme, globex, acme, '📯'].entries()) {
      all.unshift(await created(documents, { tenantId, dueInMs: (10 - i) * minuteMs }));
    }
    await created(documents, { dueInMs: 100 * hourMs });
    await advance(hourMs);
    const first = await leased(documents, leaseMs);
    await documents.put(over(first, { dueInMs: 0 }), 2);
    const rest = [];
    for (let i = 0; i < 4; i++) rest.push(await leased(documents, leaseMs));
    assert.deepEqual(idsOf([first, ...rest]), idsOf([...all, all[0]!]));
    assert.equal(await documents.due(kind, leaseMs), undefined);
  },

  'many documents that are due at the same time are each leased once': async ({ documents }) => {
    const all = [];
    for (let i = 0; i < 5; i++) all.push(await created(documents, { dueInMs: 0 }));
    const taken = [];
    for (let i = 0; i < 5; i++) taken.push(await leased(documents, leaseMs));
    assert.deepEqual(sorted(idsOf(taken)), sorted(idsOf(all)));
    assert.equal(await documents.due(kind, leaseMs), undefined);
  },

  'two concurrent calls of due lease two documents, and never the same': async ({ documents, others }) => {
    const all = [];
    for (let i = 0; i < 5; i++) all.push(await created(documents, { dueInMs: 0 }));
    const calls = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? documents : others).due(kind, leaseMs));
    const taken = (await Promise.all(calls)).flatMap((document) => document?.id ?? []);
    assert.equal(new Set(taken).size, taken.length);
    // A call that lost to another may resolve to nothing.
    for (let more = await documents.due(kind, leaseMs); more; more = await documents.due(kind, leaseMs)) {
      taken.push(more.id);
    }
    assert.deepEqual(taken.sort(), sorted(idsOf(all)));
  },

  'the version of a lease is its token: an earlier version writes nothing': async ({ documents }) => {
    const document = await created(documents, { dueInMs: 0 });
    const taken = await leased(documents, leaseMs);
    assert.equal(await documents.put(over(document, { body: '"early"' }), document.version), undefined);
    same(await read(documents, document), taken);
    const written = await documents.put(over(taken, { body: '"done"' }), taken.version);
    same([written?.body, written?.version, written?.dueAt], ['"done"', 3, null]);
    assert.equal(await documents.put(over(taken, { body: '"twice"' }), taken.version), undefined);
    same(await read(documents, document), written);
  },

  'a lease that another process has taken over writes nothing': async ({ documents, others, advance }) => {
    await created(documents, { dueInMs: 0 });
    const lost = await leased(documents, leaseMs);
    await advance(leaseMs);
    const taken = await leased(others, leaseMs);
    for (const body of ['"late"', null]) {
      assert.equal(await documents.put(over(lost, { body }), lost.version), undefined);
    }
    same(await read(documents, lost), taken);
    assert.equal((await others.put(over(taken, { body: '"done"' }), taken.version))?.body, '"done"');
  },

  'an expired lease still writes if no other process has taken the document': async ({
    documents,
    advance,
  }) => {
    await created(documents, { dueInMs: 0 });
    const taken = await leased(documents, leaseMs);
    await advance(2 * leaseMs);
    assert.equal((await documents.put(over(taken, { body: '"late"' }), taken.version))?.body, '"late"');
    assert.equal(await documents.due(kind, leaseMs), undefined);
  },

  'a write of a leased document without the lease ends the lease': async ({ documents, others, advance }) => {
    const { id } = await created(documents, { dueInMs: 0 });
    const taken = await leased(documents, leaseMs);
    const seen = await read(others, { id });
    const cancelled = await others.put(over(seen!, { body: '"cancelled"' }), seen!.version);
    assert.equal(await documents.put(over(taken, { body: '"done"' }), taken.version), undefined);
    same(await read(documents, { id }), cancelled);
    await advance(100 * leaseMs);
    assert.equal(await documents.due(kind, leaseMs), undefined);
  },

  'a leased document that is deleted is gone: the lease writes nothing, and nothing is due': async ({
    documents,
    advance,
  }) => {
    const { id } = await created(documents, { dueInMs: 0 });
    const taken = await leased(documents, leaseMs);
    await documents.put(over(taken, { body: null }), taken.version);
    assert.equal(await documents.put(over(taken), taken.version), undefined);
    await advance(100 * leaseMs);
    assert.equal(await documents.due(kind, leaseMs), undefined);
    assert.equal(await read(documents, { id }), undefined);
  },

  'the last write decides when a document is due': async ({ documents, advance }) => {
    const sooner = await created(documents, { dueInMs: 10 * hourMs });
    const never = await created(documents, { dueInMs: 0 });
    await documents.put(over(sooner, { dueInMs: 0 }), 1);
    await documents.put(over(never), 1);
    assert.equal((await leased(documents, leaseMs)).id, sooner.id);
    await advance(leaseMs / 2);
    assert.equal(await documents.due(kind, leaseMs), undefined);
  },
});
