/** A bug that a storage could plausibly have, as a replacement in one of its files. */
export interface Bug {
  readonly name: string;
  readonly file: string;
  /** Occurs in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

export const bugsIn = (
  file: string,
  bugs: Readonly<Record<string, readonly [from: string, to: string]>>,
): Bug[] => Object.entries(bugs).map(([name, [from, to]]) => ({ name, file, from, to }));

const ofAnyTenant = `[...tenants.values()].flatMap(({ byId }) => byId.get(webhookId) ?? [])[0]`;
const byId = (id: string): string =>
  `[...journal.events.values()].flatMap((event) => event.deliveries).find((one) => one.id === ${id})`;

/** Bugs of the memory storage. A rule of the storage suite must catch each. */
export const bugs: readonly Bug[] = [
  ...bugsIn('webhooks.ts', {
    'create sees the ids of its own tenant only': [
      'if (ofAll.has(webhook.id)) throw',
      'if (find(webhook.tenantId, webhook.id)) throw',
    ],
    'get crosses tenants': [
      'tenantId === undefined ? ofAll.get(webhookId) : find(tenantId, webhookId)',
      'ofAll.get(webhookId)',
    ],
    'get always has a tenant': [
      'tenantId === undefined ? ofAll.get(webhookId) : find(tenantId, webhookId)',
      'find(tenantId!, webhookId)',
    ],
    'a deleted webhook keeps its id': ['ofAll.delete(webhookId);', ''],
    'list always has a tenant': [
      'tenantId === undefined ? ofAll : tenants.get(tenantId)?.byId',
      'tenants.get(tenantId!)?.byId',
    ],
    'list crosses tenants': ['tenantId === undefined ? ofAll : tenants.get(tenantId)?.byId', 'ofAll'],
    'update crosses tenants': [
      'const entry = find(tenantId, webhookId);\n      if (!entry || entry.record.version',
      `const entry = ${ofAnyTenant};\n      if (!entry || entry.record.version`,
    ],
    'delete crosses tenants': [
      'const entry = find(tenantId, webhookId);\n      if (!entry || (version ?? entry.record.version) !== entry.record.version) return false;\n      const tenant = tenantOf(tenantId);',
      `const entry = ${ofAnyTenant};\n      if (!entry) return false;\n      const tenant = tenantOf(entry.record.tenantId);`,
    ],
    'an event matches webhooks of another tenant': [
      'const byPattern = tenants.get(tenantId)?.byPattern;',
      'const byPattern = [...tenants.values()][0]?.byPattern;',
    ],
    'delete ignores the version': [' || (version ?? entry.record.version) !== entry.record.version', ''],
    'update ignores the version': [
      'if (!entry || entry.record.version !== version) return undefined;',
      'if (!entry) return undefined;',
    ],
    'update does not count': ['{ version: version + 1, createdAt', '{ version, createdAt'],
    'updatedAt moves with the secrets': [
      'isSeen ? new Date(hooks.now()) : updatedAt',
      'new Date(hooks.now())',
    ],
    'updatedAt stays': ['isSeen ? new Date(hooks.now()) : updatedAt', 'updatedAt'],
    'createdAt moves': [
      '{ version: version + 1, createdAt, updatedAt',
      '{ version: version + 1, createdAt: new Date(hooks.now()), updatedAt',
    ],
    'old event types go on matching': ['removeFromIndex(tenant, entry);\n      entry.record', 'entry.record'],
    'a deleted webhook goes on matching': [
      'removeFromIndex(tenant, entry);\n      tenant.byId.delete',
      'tenant.byId.delete',
    ],
    'a paused webhook gets new deliveries': [
      'record.isActive ? new Set(record.eventTypes) : []',
      'new Set(record.eventTypes)',
    ],
    'two matching patterns make two deliveries': ['if (entry.matchedIn === call) continue;', ''],
    'what is handed out is the live one': [
      'createdAt: new Date(record.createdAt)',
      'createdAt: record.createdAt',
    ],
    'what is stored is what was given': [
      'return frozen(structuredClone({ ...fields, ...stamps }));',
      'return { ...fields, ...stamps };',
    ],
    'why a webhook was paused is forgotten with the next change': [
      '{ ...former, ...change },',
      '{ ...former, disabledReason: null, ...change },',
    ],
    'list ignores isActive': [
      'isListed(record, filter)',
      'isListed(record, { ...filter, isActive: undefined })',
    ],
    'list ignores the name': ['isListed(record, filter)', 'isListed(record, { ...filter, name: undefined })'],
    'a total is of the page': ['total: fitting.length', 'total: page.items.length'],
    'a total comes unasked': ['filter.withTotal ?', 'filter ?'],
    'half a letter of why a webhook was paused is lost': [
      '{ ...former, ...change },',
      '{ ...former, ...change, disabledReason: Buffer.from(change.disabledReason ?? "").toString() || null },',
    ],
    'a webhook has a place as high as there are webhooks': ['++order,', 'ofAll.size + 1,'],
    'a webhook with a freed id inherits what the old webhook had': [
      'hooks.deleted(entry);\n      return true;',
      `hooks.deleted(entry);
      const { create, update } = this;
      this.create = async (webhook, options) => {
        const created = await create.call(this, webhook, options);
        if (webhook.id !== webhookId) return created;
        const { disabledReason } = entry.record;
        return (await update.call(this, webhook.tenantId, webhookId, 1, { disabledReason })) ?? created;
      };
      return true;`,
    ],
    'list wants every event type among the keys': [
      'isListed(record, filter)',
      '(isListed(record, filter) && record.eventTypes.every((one) => filter.keys?.includes(one) ?? true))',
    ],
  }),

  ...bugsIn('page.ts', {
    'a full last page has a cursor': ['rest.length <= end', 'rest.length < end'],
    'an offset is ignored': ['offset = 0 }', 'offset: _ }'],
    'an offset shortens the page': ['rest.slice(offset, end)', 'rest.slice(offset, limit)'],
    'a page begins with the end of the last': ['placeOf(entry) < cursor', 'placeOf(entry) <= cursor'],
    'any text is a cursor': ['checkCursor(cursor, /^[0-9A-Za-z]{15,30}$/);', ''],
    'a cursor that no page gave is the first page': [
      'checkCursor(cursor, /^[0-9A-Za-z]{15,30}$/);',
      'if (cursor !== undefined && !/^[0-9A-Za-z]{15,30}$/.test(cursor)) cursor = undefined;',
    ],
  }),

  ...bugsIn('entries.ts', {
    'a payload is written anew': [
      'this.payload = event.payload;',
      'this.payload = JSON.stringify(JSON.parse(event.payload));',
    ],
  }),

  ...bugsIn('journal.ts', {
    'idempotency keys are shared by all tenants': [
      'const keyOf = (tenantId: string, key: string)',
      "const keyOf = (_: string, key: string, tenantId = '')",
    ],
    'the idempotency key is ignored': [
      'if (event.idempotencyKey === undefined) return undefined;',
      'return undefined;',
    ],
    'the fingerprint is ignored': [
      'repeatedResult(event, remembered,',
      'repeatedResult({ ...event, fingerprint: remembered?.fingerprint }, remembered,',
    ],
    'a key is remembered for an hour': ['remembered, this.#now()', 'remembered, this.#now() + 82_800_000'],
    'a key is forgotten with its event': [
      'this.#bytes -= event.bytes;',
      'this.#bytes -= event.bytes;\n    this.#keys.clear();',
    ],
    'attempts stand last to first': ['[...delivery.log, entry]', '[entry, ...delivery.log]'],
    'what has begun since counts as published': [
      'deliveries: stored.published }',
      'deliveries: stored.deliveries.length }',
    ],
    'what waits for another begins with the event': [
      'firstBindings(webhook.record),',
      'webhook.record.channels,',
    ],
    'it begins twice': [
      'if (!binding || event.deliveries.some((delivery) => delivery.bindingId === bindingId)) return undefined;',
      'if (!binding) return undefined;',
    ],
    'an event is forgotten before what has begun': ['this.finished(delivery, false);', ''],
    'an event can be stored twice': [
      'if (stored) return { eventId: stored.id, deliveries: stored.published };',
      '',
    ],
  }),

  ...bugsIn('deliveries.ts', {
    'publish is not atomic': [
      'const plan = planOf(events, journal, matching);',
      `for (const event of events.slice(0, -1)) {
        for (const one of planOf([event], journal, matching).fresh) journal.add(one.event, one.matched);
      }
      const plan = planOf(events, journal, matching);`,
    ],
    'what is handed over is not leased': ['claimDue(prefetch)', 'claimDue({ ...prefetch, leaseMs: 0 })'],
    'a hand-over ignores the limit': ['claimDue(prefetch)', 'claimDue({ ...prefetch, limit: 1000 })'],
    'a hand-over ignores what is in flight': [
      'claimDue(prefetch)',
      'claimDue({ ...prefetch, webhookRoom: new Map() })',
    ],
    'a hand-over ignores the room of a tenant': [
      'claimDue(prefetch)',
      'claimDue({ ...prefetch, tenantRoom: new Map() })',
    ],
    'a hand-over ignores the tenant limit': [
      'claimDue(prefetch)',
      'claimDue({ ...prefetch, tenantLimit: 1_000 })',
    ],
    'what is claimed always begins with that': ['isBegun ? at : undefined', 'at'],
    'what was lost begins again with its claim': [
      'const isFirst = lease.lostAt === undefined &&',
      'const isFirst =',
    ],
    'the schedule leaves out nothing': ["if (next.status === 'pending' && next.isUncounted)", 'if (false)'],
    'what was tried before begins with its claim': [
      'lostAt === undefined && delivery.attempts === delivery.attemptsBeforeRetry;',
      'lostAt === undefined;',
    ],
    'a claim leaves the delivery to others': ['lease(delivery, at + leaseMs,', 'lease(delivery, at,'],
    'a lease never ends': ['states.reschedule(delivery, until);', 'delivery.at = until;'],
    'a claim counts an attempt': [
      "for (const each of together(delivery)) each.status = 'sending';",
      "for (const each of together(delivery)) {\n      each.status = 'sending';\n      each.attempts++;\n    }",
    ],
    'a lost attempt stays lost when it is on record': [
      "if (next.status !== 'released') leases.forgetLost(delivery);",
      "if (next.status !== 'released') void 0;",
    ],
    'a release forgets a lost attempt': [
      "if (next.status !== 'released') leases.forgetLost(delivery);",
      "leases.forgetLost(delivery);\n    if (next.status !== 'released') void 0;",
    ],
    'time in which it is due and not claimed counts as deferred': [
      'deferrals.leaveOut(delivery, now() - delivery.at);',
      '',
    ],
    'a release without a delay puts off': [
      "if (next.status === 'released' && next.delayMs) deferrals",
      "if (next.status === 'released') deferrals",
    ],
    'a failure does not end that a delivery is put off': [
      "if (next.status === 'pending' && !next.isRateLimited) deferrals.end(delivery);",
      '',
    ],
    'what fails as its receiver is rate limited is deferred no more': [
      '&& !next.isRateLimited) deferrals',
      ') deferrals',
    ],
    'a release takes back an attempt that never began': [
      'if (!attempt && leases.hasBegun(delivery)) for',
      'if (!attempt) for',
    ],
    'what nothing was sent of counts an attempt': [
      'if (!attempt && leases.hasBegun(delivery)) for',
      'if (false) for',
    ],
    'settle has no fence': [
      'const delivery = leases.of(claim);\n    if (!delivery) return false;\n    for',
      `const delivery = ${byId('claim.deliveryId')};\n    if (!delivery) return false;\n    for`,
    ],
    'settle fences finished deliveries only': [
      'const delivery = leases.of(claim);\n    if (!delivery) return false;\n    for',
      `const delivery = ${byId('claim.deliveryId')};\n    if (delivery?.status !== 'sending') return false;\n    for`,
    ],
    'a refused result is recorded': [
      'const delivery = leases.of(claim);\n    if (!delivery) return false;\n    for',
      `const delivery = leases.of(claim);
    const target = ${byId('claim.deliveryId')};
    if (!delivery && target && attempt) {
      target.log = [...(target.log ?? []), attemptEntry(attempt)];
    }
    if (!delivery) return false;
    for`,
    ],
    'renew has no fence': [
      'const delivery = leases.of(claim);\n        if (delivery) states.reschedule',
      `const delivery = ${byId('claim.deliveryId')};\n        if (delivery) states.reschedule`,
    ],
    'an attempt begins on a lease that is over': ['delivery.at <= at + leftMs', 'false'],
    'an attempt begins on a lease that is nearly over': ['delivery.at <= at + leftMs', 'delivery.at <= at'],
    'what begins keeps no order': ['begun: started,', 'begun: [...started].reverse(),'],
    'begin tells another time': ['at: new Date(at) };\n    },', 'at: new Date() };\n    },'],
    'an attempt is not counted': ['each.attempts++;', 'void each;'],
    'of a digest one attempt is counted': ['each.attempts++;', 'if (each === delivery) each.attempts++;'],
    'of a digest one has the attempt on record': [
      'if (attempt) journal.attempted(each, attemptEntry(attempt));',
      'if (attempt && each === deliveriesOf(delivery)[0]) journal.attempted(each, attemptEntry(attempt));',
    ],
    'a result begins nothing': ['if (begun) states.enter(begun);', ''],
    'what begins while its webhook is paused is forgotten': [
      'if (begun) states.enter(begun);',
      'if (begun?.webhook.record.isActive) states.enter(begun);',
    ],
    'a checkpoint loses its NULs': [
      'delivery.checkpoint = next.checkpoint ?? delivery.checkpoint;',
      "delivery.checkpoint = next.checkpoint?.replaceAll('\\0', '') ?? delivery.checkpoint;",
    ],
    'half a letter of a checkpoint is lost': [
      'delivery.checkpoint = next.checkpoint ?? delivery.checkpoint;',
      'delivery.checkpoint = next.checkpoint === undefined ? delivery.checkpoint : Buffer.from(next.checkpoint).toString();',
    ],
    'a checkpoint is forgotten': ['delivery.checkpoint = next.checkpoint ?? delivery.checkpoint;', ''],
    'an attempt without a checkpoint takes away the one before': [
      "if ('checkpoint' in next) delivery.checkpoint = next.checkpoint ?? delivery.checkpoint;",
      "delivery.checkpoint = 'checkpoint' in next ? next.checkpoint : undefined;",
    ],
    'a release leaves no checkpoint': [
      "if ('checkpoint' in next)",
      "if ('checkpoint' in next && next.status !== 'released')",
    ],
    'a release does not wait': ['else if (next.delayMs) states.wait(delivery, next.delayMs);\n', ''],
    'of a digest the first alone begins what waits for it': [
      'for (const bindingId of escalateTo) {',
      'for (const bindingId of each === deliveriesOf(delivery)[0] ? escalateTo : []) {',
    ],
    'the webhook limit is ignored': ['webhookRoom.get(record.id) ?? webhookLimit', 'Number.MAX_SAFE_INTEGER'],
    'the room of a webhook is ignored': ['webhookRoom.get(record.id) ?? webhookLimit', 'webhookLimit'],
    'a webhook may have no more than the limit': [
      'webhookRoom.get(record.id) ?? webhookLimit',
      'Math.min(webhookRoom.get(record.id) ?? webhookLimit, webhookLimit)',
    ],
    'the tenant limit is ignored': ['tenantRoom?.get(tenantId) ?? tenantLimit', '1_000'],
    'the room of a tenant is ignored': ['tenantRoom?.get(tenantId) ?? tenantLimit', 'tenantLimit'],
    'a tenant may have no more than the limit': [
      'tenantRoom?.get(tenantId) ?? tenantLimit',
      'Math.min(tenantRoom?.get(tenantId) ?? tenantLimit, tenantLimit)',
    ],
    'renew extends nothing': ['if (delivery) states.reschedule(delivery, end);', ''],
    'a retry that is due stands behind what is newer': [
      'states.wake();\n      const { results }',
      'const { results }',
    ],
    'a released attempt counts': ['for (const each of together(delivery)) each.attempts--;', ''],
    'a released attempt counts twice': ['each.attempts--;', 'each.attempts++;'],
    'a failed attempt is not recorded': [
      'if (attempt) journal',
      "if (attempt && next.status !== 'pending') journal",
    ],
    'an answer loses its NULs': [
      'attemptEntry(attempt)',
      "attemptEntry({ ...attempt, response: attempt.response?.replaceAll('\\0', '') ?? null })",
    ],
    'results stand in another order': ['settlements.map(settleOne)', 'settlements.map(settleOne).reverse()'],
  }),

  ...bugsIn('delivery-states.ts', {
    'a manual retry leaves out as before': ['this.#leases.countAll(delivery);', ''],
    'what is started anew goes on being deferred': ['this.#deferrals.end(delivery);', ''],
    'the deliveries of a digest are put off by themselves': [
      "for (const each of together(delivery)) {\n      each.status = 'pending';",
      "for (const each of [delivery]) {\n      each.status = 'pending';",
    ],
    'of a digest one is delivered': [
      'for (const each of deliveriesOf(delivery)) {\n      each.checkpoint',
      'for (const each of deliveriesOf(delivery).slice(0, 1)) {\n      each.checkpoint',
    ],
    'a checkpoint outlives what is delivered': [
      "if (status === 'delivered') delivery.checkpoint = undefined;",
      '',
    ],
    'a checkpoint does not outlive what is dead': [
      "if (status === 'delivered') delivery.checkpoint",
      'delivery.checkpoint',
    ],
    'a retry that is asked for has no checkpoint': [
      'each.attemptsBeforeRetry = each.attempts;\n',
      '{\n      each.attemptsBeforeRetry = each.attempts;\n      each.checkpoint = undefined;\n    }\n',
    ],
    'a digest that is split keeps its schedule': [
      'this.#startAnew(delivery);\n    if (half)',
      'this.makeDue(delivery);\n    if (half)',
    ],
    'half of a digest that is split is lost': ['if (half) this.#startAnew(half.lead);', ''],
    'of a digest that waits one is asked for': [
      'delivery.digest?.lead ?? delivery',
      '(this.#digests.remove(delivery), delivery)',
    ],
    'a digest that all have left keeps its token': [
      'if (digest?.entries.size === 0) this.#halt(digest.lead);',
      '',
    ],
    'who is cancelled takes the others along': [
      'if (digest?.entries.size === 0) this.#halt(digest.lead);',
      'if (digest) this.#halt(digest.lead);',
    ],
    'what was in a digest has no checkpoint of it': ['each.checkpoint = delivery.checkpoint;', ''],
    'what leaves a digest has no checkpoint of it': [
      'if (digest) delivery.checkpoint = digest.lead.checkpoint;',
      '',
    ],
    'what gathers is due at once': ['if (delivery.isGathered) {', 'if (false) {'],
    'what a binding was dropped for gathers on': [
      '[...former.channels, ...webhook.record.channels]',
      'webhook.record.channels',
    ],
    'what is cancelled stays in its digest': [
      'const { digest } = delivery;\n    this.#digests.remove(delivery);',
      'const { digest } = delivery;',
    ],
    'what is asked for again is due when it was, or ended': ['each.at = time;', ''],
    'what is finished is claimed again': [
      'this.#chains.remove(delivery);\n    this.#alarms.remove(delivery);',
      'this.#alarms.remove(delivery);',
    ],
    'what was put off is claimed at once': [
      'this.#chains.remove(delivery);\n    this.#alarms.set(delivery, at);',
      'this.#alarms.set(delivery, at);',
    ],
    'a lease that ended ends its token': [
      'this.#chains.push(due);',
      '{\n      this.#halt(due);\n      this.#chains.push(due);\n    }',
    ],
    'a retry does not wait': [
      'this.reschedule(delivery, this.#now() + delayMs);',
      'this.reschedule(delivery, this.#now());',
    ],
    'attemptsBeforeRetry is not set': ['each.attemptsBeforeRetry = each.attempts;', ''],
    'a cancelled delivery keeps its token': [
      'this.#halt(delivery);\n    this.#leases.forgetLost',
      "if (status !== 'cancelled') this.#halt(delivery);\n    this.#leases.forgetLost",
    ],
  }),

  ...bugsIn('leases.ts', {
    'the schedule leaves out one at most': ['(this.#uncounted.get(entry) ?? 0) + 1', '1'],
    'a claim forgets that an attempt had begun': [
      'if (begunAt !== undefined) this.#lost.set(entry, begunAt);',
      '',
    ],
    'an attempt goes on under the next lease': ['deliveryId, begunAt: undefined }', 'deliveryId, begunAt }'],
    'an attempt begins twice': ['if (!lease || lease.begunAt !== undefined) return', 'if (!lease) return'],
    'a lease that is over keeps its token': [
      'this.#leases[place] = undefined;\n    this.#free.push(place);',
      '',
    ],
    'a token is not fresh': ['`${place}.${++this.#count}`', '`${place}`'],
    'a token opens any delivery': [
      'lease?.token === token && lease.deliveryId === deliveryId ? lease.entry : undefined',
      'lease?.token === token && deliveryId ? lease.entry : undefined',
    ],
  }),

  ...bugsIn('deferrals.ts', {
    'a delivery is put off since it was last': ['if (!this.#since.has(entry)) this', 'this'],
  }),

  ...bugsIn('handed-out.ts', {
    'a claim does not say that it is put off': [
      'deferredSince: deferredSince === null ? null : new Date(deferredSince),',
      'deferredSince: null,',
    ],
    'a claim shows live secrets': ['secrets: copiedSecrets(secrets), channels },', 'secrets, channels },'],
    'a dropped binding is replaced by another': [
      'channels.find((binding) => binding.id === bindingId)',
      'channels.find((binding) => binding.id === bindingId) ?? channels[0]',
    ],
  }),

  ...bugsIn('plan.ts', {
    'a key is one for all tenants of a call': [
      'keyOf(tenantId, idempotencyKey)',
      "keyOf('', idempotencyKey)",
    ],
    'two fingerprints of a call are one': ['checkFingerprint(event, twin.fingerprint);', ''],
  }),

  ...bugsIn('lanes.ts', {
    'a tenant takes more than it has room for': ['leftOfTenant.set(tenantId, ofTenant - 1);', ''],
    'a tenant without room holds up the others': [
      'if (ofTenant <= 0) continue;',
      'if (ofTenant <= 0) break;',
    ],
    'the last due goes first': [
      'if (lane.tail) lane.tail.nextInLane = entry;\n    else lane.head = entry;\n    lane.tail = entry;',
      'entry.nextInLane = lane.head;\n    lane.head = entry;\n    lane.tail ??= entry;',
    ],
    'a paused webhook is claimed from': ['if (isActive && lane.head)', 'if (lane.head)'],
    'a tenant without room ends the claim': ['if (!lane) continue;', 'if (!lane) break;'],
    'the limit is ignored': ['if (taken.length === limit) break;', ''],
    'one webhook takes a whole batch': [
      'taken.push(this.#shift(lane));',
      `taken.push(this.#shift(lane));
      for (let more = left.get(lane)!; more > 0 && taken.length < limit && lane.head; more--) {
        taken.push(this.#shift(lane));
      }`,
    ],
    'tenants do not take turns': [
      'if (line.size > 0) this.#tenants.set(tenantId, line);\n      taken.push(this.#shift(lane));',
      `if (line.size > 0) this.#tenants.set(tenantId, line);
      taken.push(this.#shift(lane));
      for (let next = nextLane(tenantId, line); next && taken.length < limit; next = nextLane(tenantId, line)) {
        line.delete(next);
        taken.push(this.#shift(next));
        if (next.head) line.add(next);
      }`,
    ],
    'the webhooks of a tenant do not take turns': [
      'line.delete(lane);\n      if (line.size > 0)',
      `{
        const others = [...line].filter((other) => other !== lane);
        for (const other of others) line.delete(other);
        line.delete(lane);
        if (lane.head !== lane.tail) line.add(lane);
        for (const other of others) line.add(other);
      }
      if (line.size > 0)`,
    ],
  }),

  ...bugsIn('chains.ts', {
    'an ordering key is ignored': [
      'event.orderingKey === null || isGathered ? undefined',
      'event.orderingKey !== event.id || isGathered ? undefined',
    ],
    'a key is one for all bindings': [
      '`${bindingId}\\n${event.orderingKey}`',
      "`${event.orderingKey}${bindingId && ''}`",
    ],
    'two of a key are in flight': ['if (chain.active) return;', ''],
    'those behind a failed one go ahead': [
      'if (chain.active === entry) chain.active = undefined;',
      `if (chain.active === entry) {
      chain.active = undefined;
      const [first] = chain.line;
      if (first === entry) {
        chain.line.delete(first);
        chain.yielding.add(first);
      }
    }`,
    ],
    'what yields is waited for': [
      '(yields ? chain.yielding : chain.line).add(entry);',
      'chain.line.add(entry);',
    ],
    'what yields never goes again': [
      'const [yielding] = chain.dueYielding;',
      'const [yielding] = new Set<DeliveryEntry>();',
    ],
    'what is finished is waited for': ['chain.line.delete(entry);\n    chain.yielding', 'chain.yielding'],
    'those behind it stay held': ['this.release(entry, chain);', ''],
  }),

  ...bugsIn('digests.ts', {
    'a window is over at once': ['now + limitsOf(entry)!.windowMs', 'now'],
    'enough is never enough': ['if (!isDigestFull(size, limitsOf(first!)!)) return;', 'return;'],
    'a digest has no end': ['limitsOf(entry)!)', '{ ...limitsOf(entry)!, maxEvents: Infinity })'],
    'a digest is as large as it will': ['limitsOf(entry)!)', '{ ...limitsOf(entry)!, maxBytes: Infinity })'],
    'a digest that is large enough waits': [', bytes: gathering.bytes }', ', bytes: 0 }'],
    'a digest has the event that makes it too large': [
      'digestSize(gathered.map(bytesOf), limitsOf(entry)!)',
      'digestSize([0, ...gathered.map(bytesOf)], limitsOf(entry)!)',
    ],
    'what has gone fills the next digest, too': ['gathering.bytes -= bytesOf(entry);', ''],
    'a letter is a byte': ['Buffer.byteLength(event.payload)', 'event.payload.length'],
    'no event is too large by default': [
      'digestLimits(webhook.record.channels.find(({ id }) => id === bindingId));',
      'digestLimits(\n' +
        '  webhook.record.channels\n' +
        '    .map((one) => (one.digest ? { ...one, digest: { maxBytes: Infinity, ...one.digest } } : one))\n' +
        '    .find(({ id }) => id === bindingId),\n' +
        ');',
    ],
    'the halves of a digest are as large as it was': [
      'entries.delete(member);\n      member.digest = half;',
      'member.digest = half;',
    ],
    'half a digest goes by the name of all': [
      'const half = digestOf(new Set(latter));',
      'const half = digestOf(new Set(latter));\n    Object.defineProperty(half.lead, "id", { get: () => lead.id });',
    ],
    'half a digest has no checkpoint': [
      '{ attempts, attemptsBeforeRetry, checkpoint });',
      '{ attempts, attemptsBeforeRetry });',
    ],
    'a digest is halved in no order': [
      '[...entries].slice(Math.ceil(entries.size / 2))',
      '[...entries].slice(0, Math.floor(entries.size / 2))',
    ],
    'a limit that is lowered is found by chance': ['this.#formFull(bindingId);\n    }\n  }', '}\n  }'],
    'what gathers keeps the window that it came with': [
      'if (limits) this.#alarms.set(entry, since + limits.windowMs);',
      'if (limits) continue;',
    ],
    'a window that is lengthened stays': [
      'this.#alarms.set(entry, since + limits.windowMs)',
      'this.#alarms.set(entry, Math.min(entry.at, since + limits.windowMs))',
    ],
    'what gathers waits on where its binding wants no digests': ['this.#hooks.left(entry);', ''],
    'a digest goes by the name of its first': ['digestId(event.id, bindingId)', 'first!.id'],
    'a digest is renamed when its first event leaves': [
      'lead.digest = {',
      'Object.defineProperty(lead, "id", { get: () => [...entries][0]!.id });\n  lead.digest = {',
    ],
    'one that gathers cannot leave': ['if (this.gathers(entry)) this.#leave(entry);', ''],
  }),

  ...bugsIn('storage.ts', {
    'a webhook that is active again is forgotten': [
      'changed: (webhook, former) => queue.refresh(webhook, former)',
      'changed: () => {}',
    ],
    'delete cancels nothing': ['queue.cancel(delivery);', 'void delivery;'],
    'delete cancels deliveries of other webhooks': ['delivery.webhook === webhook && ', ''],
  }),

  ...bugsIn('log.ts', {
    'attempts and transition cross tenants': [
      'if (event?.tenantId !== tenantId) return undefined;',
      'if (!event) return undefined;',
    ],
    'the log crosses tenants': ['event.tenantId === tenantId &&', ''],
    'the log is in the order of storing': ['.sort(latestFirst)', ''],
    'what begins later was created then': [
      'createdAt: new Date(event.publishedAt)',
      'createdAt: new Date(event.deliveries.indexOf(delivery) < event.published ? event.publishedAt : at)',
    ],
    'the log ignores where a range begins': [
      'isInRange(event.id, range)',
      'isInRange(event.id, { ...range, fromEventId: undefined })',
    ],
    'a range leaves its first one out': [
      'isInRange(event.id, range)',
      '(isInRange(event.id, range) && event.id !== range.fromEventId)',
    ],
    'the log ignores where a range ends': [
      'isInRange(event.id, range)',
      'isInRange(event.id, { ...range, beforeEventId: undefined })',
    ],
    'a range has its end in it': [
      'isInRange(event.id, range)',
      '(isInRange(event.id, range) || event.id === range.beforeEventId)',
    ],
    'the log of events ignores the type': [
      '.filter((event) => (type ?? event.type) === event.type)',
      '.filter(() => type !== null)',
    ],
    'the log of deliveries ignores the event type': [
      'webhookId: webhook.record.id, status }, selection)',
      'webhookId: webhook.record.id, status }, { ...selection, eventType: undefined })',
    ],
    'the log of deliveries ignores the webhook': [
      'webhookId: webhook.record.id, status }, selection)',
      'webhookId: webhook.record.id, status }, { ...selection, webhookId: undefined })',
    ],
    'the log of deliveries ignores the status': [
      'webhookId: webhook.record.id, status }, selection)',
      'webhookId: webhook.record.id, status }, { ...selection, status: undefined })',
    ],
    'a count is of one stretch': ['bounds[at]! <= event.id', 'false'],
    'a bound belongs to what is before it': ['bounds[at]! <= event.id', 'bounds[at]! < event.id'],
    'counts go through the bounds one way': ['event.id < bounds[at - 1]!', 'false'],
    'counts are of all there is': ['if (fits(delivery, selection)) counts', 'counts'],
    'transition takes what is being sent': [
      "delivery.status === 'sending' || !holdsWebhook",
      '!holdsWebhook',
    ],
    'transition wakes what belongs to no webhook': ['!holdsWebhook(delivery.webhook)', 'false'],
    'what is being sent is sent now': ["delivery.status === 'pending' && queue", 'queue'],
    'what waits is sent now with a new schedule': [
      "if (to === 'due') return delivery",
      'if (false) return delivery',
    ],
    'transition cancels what is finished': ['if (delivery.isFinished) return false;', ''],
    'prune forgets what is unfinished': ['if (event.unfinished > 0) continue;', ''],
    'prune stops at what is unfinished': [
      'if (event.unfinished > 0) continue;',
      'if (event.unfinished > 0) break;',
    ],
    'prune ignores the limit': ['count === limit || event.publishedAt', 'event.publishedAt'],
    'prune ignores the age': ['count === limit || event.publishedAt > last', 'count === limit'],
    'dueAt is shown for what is not pending': ["status === 'pending' ? new Date(at) : null", 'new Date(at)'],
    'finishedAt is not shown': ['delivery.isFinished ? new Date(at) : null', 'null'],
  }),
  ...bugsIn('documents.ts', {
    'a document takes the id of another kind': [
      'const entries = kinds.get(kind) ?? new Map<string, DocumentEntry>();\n    kinds.set(kind, entries);',
      "const entries = kinds.get('') ?? new Map<string, DocumentEntry>();\n    kinds.set('', entries);",
    ],
    'a document is created over another': [
      '(stored?.version ?? 0) !== version ||',
      'version > 0 && stored?.version !== version ||',
    ],
    'a document is created over that of another tenant': [
      '(stored?.version ?? 0) !== version || (stored?.tenantId ?? tenantId) !== tenantId',
      '(stored?.tenantId === tenantId ? stored.version : stored && version === 0 ? 0 : (stored?.version ?? 0)) !== version || (version > 0 && (stored?.tenantId ?? tenantId) !== tenantId)',
    ],
    'a document is created by a write of a later version': [
      '(stored?.version ?? 0) !== version',
      '(stored?.version ?? version) !== version',
    ],
    'a document is written whichever version is stored': [
      '(stored?.version ?? 0) !== version',
      '(stored ? version === 0 : version > 0)',
    ],
    'a document is written by a version that is over': [
      '(stored?.version ?? 0) !== version',
      '(stored ? version === 0 || stored.version < version : version > 0)',
    ],
    'a document is written by a version that is to come': [
      '(stored?.version ?? 0) !== version',
      '(stored?.version ?? 0) > version',
    ],
    'a document is written by another tenant': [' || (stored?.tenantId ?? tenantId) !== tenantId', ''],
    'a document is deleted whichever version is stored': [
      'if ((stored?.version ?? 0) !== version ||',
      'if ((body === null ? version > 0 ? version : -1 : (stored?.version ?? 0)) !== version ||',
    ],
    'a document is deleted by another tenant': [
      '|| (stored?.tenantId ?? tenantId) !== tenantId)',
      '|| (body !== null && (stored?.tenantId ?? tenantId) !== tenantId))',
    ],
    'no document is deleted': ['entriesOf(kind).delete(id);', ''],
    'a deletion resolves to nothing': ['return stored && handedOut(stored);', 'return undefined;'],
    'a deletion resolves to the document of after it': [
      'return stored && handedOut(stored);',
      'return stored && { ...handedOut(stored), version: version + 1 };',
    ],
    'an empty body deletes': ['if (body === null) {', 'if (!body) {'],
    'a write keeps the version': [
      'tenantId, version: version + 1, body',
      'tenantId, version: version || 1, body',
    ],
    'a write keeps the body': [
      'version: version + 1, body, dueAt',
      'version: version + 1, body: stored?.body ?? body, dueAt',
    ],
    'a write moves the creation': ['stored?.createdAt ?? updatedAt', 'updatedAt'],
    'a write is not dated': [
      'const updatedAt = new Date(now());\n',
      'const updatedAt = stored?.updatedAt ?? new Date(now());\n',
    ],
    'a write makes a document the newest': ['order: entry?.order ?? ++order', 'order: ++order'],
    'a write moves a document in its list': [
      'entriesOf(entry.document.kind).set(',
      'entriesOf(entry.document.kind).delete(entry.document.id);\n    entriesOf(entry.document.kind).set(',
    ],
    'a place is as high as there are documents': ['?? ++order,', '?? entriesOf(kind).size + 1,'],
    'a document goes by another clock': [
      'const updatedAt = new Date(now());\n',
      'const updatedAt = new Date();\n',
    ],
    'get goes by another clock': ['at: new Date(now()) };', 'at: new Date() };'],
    'a body is trimmed': [
      'dueInMs }, version) {',
      'dueInMs }, version) {\n      body = body && body.trim();',
    ],
    'a body is written anew': [
      'dueInMs }, version) {',
      'dueInMs }, version) {\n      try {\n        body = body && JSON.stringify(JSON.parse(body));\n      } catch {}',
    ],
    'half a letter of a body is lost': [
      'dueInMs }, version) {',
      'dueInMs }, version) {\n      body = body && Buffer.from(body).toString();',
    ],
    'what follows a NUL in a body is lost': [
      'dueInMs }, version) {',
      "dueInMs }, version) {\n      body = body && body.split('\\0')[0]!;",
    ],
    'a body has no more than 64 KiB': [
      'dueInMs }, version) {',
      'dueInMs }, version) {\n      body = body && body.slice(0, 65_536);',
    ],
    'the list of documents crosses tenants': [
      '(tenantId ?? document.tenantId) === document.tenantId',
      'true',
    ],
    'the list of documents has always a tenant': [
      '(tenantId ?? document.tenantId) === document.tenantId',
      'tenantId === document.tenantId',
    ],
    'the list of documents begins with the oldest': [
      '[...entriesOf(kind).values()].reverse()',
      '[...entriesOf(kind).values()]',
    ],
    'the list of documents is of all kinds': [
      '[...entriesOf(kind).values()].reverse()',
      '[...kinds.values()].flatMap((entries) => [...entries.values()]).reverse()',
    ],
    'a document is due that is due never': ['?? Number.POSITIVE_INFINITY', '?? 0'],
    'a document is due before its time': ['dueAt <= now() && (', 'Number.isFinite(dueAt) && ('],
    'a document is due by another clock': ['dueAt <= now() && (', 'dueAt <= Date.now() && ('],
    'the document that was created first is due first': ['dueAt < dueTime(first)', 'false'],
    'the document that is due last is due first': ['dueAt < dueTime(first)', 'dueAt > dueTime(first)'],
    'documents of one time are due together once': [
      'if (!first) return undefined;\n',
      'if (!first) return undefined;\n      const then = dueTime(first);\n      for (const { document } of entriesOf(kind).values()) if (document.dueAt?.getTime() === then) document.dueAt.setTime(now() + leaseMs);\n',
    ],
    'a lease is no write': ['version: document.version + 1,', 'version: document.version,'],
    'a lease has no end': ['dueAt: new Date(now() + leaseMs),', 'dueAt: null,'],
    'a lease is over at once': ['dueAt: new Date(now() + leaseMs),', 'dueAt: new Date(now()),'],
    'a lease is not dated': ['updatedAt: new Date(now()),\n      };', '};'],
    'the due time of a write is that of before': [
      'dueInMs === null ? null : new Date(now() + dueInMs)',
      'stored ? stored.dueAt : dueInMs === null ? null : new Date(now() + dueInMs)',
    ],
    'what is due at once is due never': ['dueInMs === null ? null', '!dueInMs ? null'],
    'the instants of a document are the live ones': [
      'createdAt: new Date(document.createdAt)',
      'createdAt: document.createdAt',
    ],
    'the due time of a document is the live one': [
      'document.dueAt && new Date(document.dueAt)',
      'document.dueAt',
    ],
    'the time of a write is the live one': [
      'updatedAt: new Date(document.updatedAt)',
      'updatedAt: document.updatedAt',
    ],
    'get hands out the live document': [
      'document: entry && handedOut(entry.document)',
      'document: entry?.document',
    ],
  }),

  ...bugsIn('backfill.ts', {
    'a delivery is made twice of one event': ['has.has(id) ? [] : [[webhook, id]]', '[[webhook, id]]'],
    'what is missed begins also where it waits for another': [
      'firstBindings(webhook.record).flatMap(({ id })',
      'webhook.record.channels.flatMap(({ id })',
    ],
    'what another tenant missed is made': ['owner === tenantId && isInRange', 'isInRange'],
    'what was missed before the range is made': ['isInRange(id, range)', 'id < range.beforeEventId'],
    'what was missed after the range is made': [
      'isInRange(id, range)',
      'isInRange(id, { ...range, beforeEventId: undefined })',
    ],
    'what was missed of other types is made': ['&& (eventType ?? type) === type', ''],
    'what other webhooks missed is made': ['(webhookId ?? record.id) === record.id', 'true'],
    'what was missed last is made first': ['one.id < other.id ? -1 : 1', 'one.id < other.id ? 1 : -1'],
    'a dry run makes what was missed': ['if (isDryRun) {', 'if (isDryRun && limit === 0) {'],
    'more is made than the limit says': ['targets.slice(0, limit)', 'targets.slice()'],
    'what is over the limit is passed over': ['targets[limit]?.event.id ?? next', 'next'],
  }),

  ...bugsIn('delivery-states.ts', {
    'what gathers is sent now': ['if (this.#digests.gathers(delivery)) return false;', ''],
    'one of a digest is sent now, and not the digest': [
      'delivery.digest ? delivery.digest.lead : delivery',
      'delivery',
    ],
    'what is sent now waits': ['this.#alarms.remove(waiting);', 'return true;'],
    'what is sent now overtakes what is before it': [
      'this.#chains.push(waiting);',
      'this.lanes.push(waiting);',
    ],
  }),

  ...bugsIn('transactions.ts', {
    'a rollback stores what was written': ['if (!isCommitted) return;', ''],
    'a commit stores no webhook': ['for (const webhook of transaction.webhooks) table.add(webhook);', ''],
    'a transaction does not see what it has written': ['transaction.earlier(event) ?? journal', 'journal'],
    'a transaction holds no keys': ['holders.set(name, transaction);', ''],
    'a digest follows the limits that its binding had at the publish': [
      'webhook.record.channels.find(({ id }) => id === binding.id) ?? removed',
      'binding ?? removed',
    ],
  }),
];
