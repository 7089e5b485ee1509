import {
  type Attempt,
  type ChannelBinding,
  type Claim,
  type ClaimOptions,
  type Delivery,
  type DeliverySelection,
  type Document,
  deliveryId,
  type Event,
  type EventRange,
  type NewEvent,
  type NewWebhook,
  type Page,
  PosthornError,
  type Published,
  type Settlement,
  type Storage,
  type WebhookFilter,
  type WebhookRecord,
} from '@posthorn/core';

/** A delivery as it is kept: what the log shows of it, and its lease. */
interface Lease {
  readonly token: string;
  readonly endsAt: number;
  /** When its attempt began. */
  readonly begunAt: number | null;
}

interface Row extends Omit<Delivery, 'attempts'> {
  readonly event: Event;
  readonly attempts: readonly Attempt[];
  /** Attempts begun: those that workers died at are not among `attempts` yet. */
  readonly begun: number;
  readonly lease: Lease | null;
  /** Attempts since the last manual retry that the schedule leaves out. */
  readonly uncounted: number;
  /** When an attempt began whose worker died. */
  readonly lostAt: number | null;
  /** Since when it is put off, less the time in which it was due and nobody claimed it. */
  readonly putOffSince: number | null;
  /** Those behind it with its ordering key need not wait for it. */
  readonly yields: boolean;
  /** What the attempts until now left for the next. */
  readonly memo: string | undefined;
}

const day = 86_400_000;
const isWithin = (id: string, { fromEventId, beforeEventId }: EventRange): boolean =>
  (fromEventId === undefined || id >= fromEventId) && (beforeEventId === undefined || id < beforeEventId);
const isFinal = ({ status }: Row): boolean => status !== 'pending' && status !== 'sending';

/**
 * The shortest storage that keeps every rule of the port: three Maps of rows that are replaced, never changed, and
 * loops over all of them. Read it before you write one for a database of your own; then let an index do the looping.
 */
export function mapStorage(now: () => number = Date.now): Storage {
  const webhooks = new Map<string, WebhookRecord>();
  const events = new Map<string, { event: Event; publishedAt: number; published: Published }>();
  const rows = new Map<string, Row>();
  const keys = new Map<string, { fingerprint: string | undefined; published: Published; at: number }>();
  /** In which order webhooks were created, and deliveries begun. */
  const order = new Map<string, number>();
  /** When each tenant and each webhook had its last turn. */
  const served = new Map<string, number>();
  const documents = new Map<string, Document & { readonly place: string }>();
  let turns = 0;
  let tokens = 0;
  let places = 0;

  const write = (row: Row): Row => {
    rows.set(row.id, row);
    return row;
  };
  const pending = (row: Row, dueAt: number, changes: Partial<Row> = {}): Row =>
    write({ ...row, status: 'pending', dueAt: new Date(dueAt), finishedAt: null, lease: null, ...changes });
  const finish = (row: Row, status: 'delivered' | 'dead' | 'cancelled', attempts = row.attempts): Row =>
    write({
      ...row,
      attempts,
      status,
      dueAt: null,
      finishedAt: new Date(now()),
      lease: null,
      // Who asks for it again is to reach all again.
      memo: status === 'delivered' ? undefined : row.memo,
    });

  const ofTenant = (tenantId: string, id: string): WebhookRecord | undefined => {
    const webhook = webhooks.get(id);
    return webhook?.tenantId === tenantId ? webhook : undefined;
  };

  function earlier(event: NewEvent): Published | undefined {
    const stored = events.get(event.id);
    if (stored) return stored.published;
    const known =
      event.idempotencyKey === undefined ? undefined : keys.get(`${event.tenantId}\n${event.idempotencyKey}`);
    if (!known || known.at + day < now()) return undefined;
    if (known.fingerprint !== event.fingerprint) {
      throw new PosthornError(
        'idempotency_conflict',
        'the idempotency key was used before, with another event',
      );
    }
    return known.published;
  }

  function store({ keys: patterns, idempotencyKey, fingerprint, ...event }: NewEvent): Published {
    const matched = [...webhooks.values()].filter(
      ({ tenantId, isActive, eventTypes }) =>
        tenantId === event.tenantId && isActive && eventTypes.some((pattern) => patterns.includes(pattern)),
    );
    // The others wait for one of these to fail.
    const bindings = matched.flatMap(({ id, channels }) =>
      channels.filter(({ onlyAfter }) => !onlyAfter).map((binding) => ({ webhookId: id, binding })),
    );
    const published = { eventId: event.id, deliveries: bindings.length };
    events.set(event.id, { event: structuredClone(event), publishedAt: now(), published });
    for (const { webhookId, binding } of bindings) add(event.id, webhookId, binding);
    if (idempotencyKey)
      keys.set(`${event.tenantId}\n${idempotencyKey}`, { fingerprint, published, at: now() });
    return published;
  }

  /** Adds a delivery of the event, if there is none yet. */
  function add(eventId: string, webhookId: string, binding: ChannelBinding): void {
    const { event, publishedAt } = events.get(eventId)!;
    const id = deliveryId(eventId, binding.id);
    if (rows.has(id)) return;
    order.set(id, ++places);
    write({
      id,
      tenantId: event.tenantId,
      eventId,
      eventType: event.type,
      webhookId,
      bindingId: binding.id,
      channel: binding.channel,
      status: 'pending',
      begun: 0,
      attemptsBefore: 0,
      uncounted: 0,
      dueAt: new Date(now()),
      createdAt: new Date(publishedAt),
      finishedAt: null,
      event,
      attempts: [],
      lease: null,
      lostAt: null,
      putOffSince: null,
      yields: false,
      memo: undefined,
    });
  }

  const dueAt = ({ status, dueAt, lease }: Row): number =>
    (status === 'pending' ? dueAt?.getTime() : lease?.endsAt) ?? Number.POSITIVE_INFINITY;

  /** Whether nothing with its ordering key is in the way. */
  const isItsTurn = (row: Row): boolean =>
    row.event.orderingKey === null ||
    [...rows.values()].every(
      (other) =>
        other === row ||
        isFinal(other) ||
        other.bindingId !== row.bindingId ||
        other.event.orderingKey !== row.event.orderingKey ||
        (other.status !== 'sending' && (other.yields || order.get(other.id)! > order.get(row.id)!)),
    );

  function claim(options: ClaimOptions): Claim[] {
    const {
      limit,
      leaseMs,
      webhookLimit,
      webhookRoom,
      tenantLimit = Number.POSITIVE_INFINITY,
      tenantRoom,
    } = options;
    const claims: Claim[] = [];
    const taken = (fits: (webhook: Claim['webhook']) => boolean): number =>
      claims.filter(({ webhook }) => fits(webhook)).length;
    const room = ({ webhookId, tenantId }: Row): number =>
      Math.min(
        (webhookRoom.get(webhookId) ?? webhookLimit) - taken(({ id }) => id === webhookId),
        (tenantRoom?.get(tenantId) ?? tenantLimit) - taken((webhook) => webhook.tenantId === tenantId),
      );
    // The tenant whose turn is longest ago, of it the webhook, of that what was due first.
    const turnOf = ({ tenantId, webhookId }: Row): [number, number] => [
      served.get(tenantId) ?? 0,
      served.get(webhookId) ?? 0,
    ];
    const isBefore = (a: Row, b: Row): boolean => {
      const [[tenantA, webhookA], [tenantB, webhookB]] = [turnOf(a), turnOf(b)];
      return (tenantA - tenantB || webhookA - webhookB || dueAt(a) - dueAt(b)) < 0;
    };
    while (claims.length < limit) {
      let next: Row | undefined;
      for (const row of rows.values()) {
        const isDue = dueAt(row) <= now() && webhooks.get(row.webhookId)?.isActive;
        if (isDue && (!next || isBefore(row, next)) && room(row) > 0 && isItsTurn(row)) next = row;
      }
      if (!next) break;
      turns++;
      served.set(next.tenantId, turns).set(next.webhookId, turns);
      claims.push(leased(next, leaseMs));
    }
    return claims;
  }

  function leased(row: Row, leaseMs: number): Claim {
    const lease = { token: String(++tokens), endsAt: now() + leaseMs, begunAt: null };
    const lostAt = row.lease?.begunAt ?? row.lostAt;
    const putOffSince = row.putOffSince === null ? null : row.putOffSince + now() - dueAt(row);
    const { begun, attemptsBefore, uncounted, event, webhookId, bindingId, memo } = write({
      ...row,
      status: 'sending',
      dueAt: null,
      lease,
      lostAt,
      putOffSince,
    });
    const { id, tenantId, name, secrets, channels } = structuredClone(webhooks.get(webhookId)!);
    return {
      deliveryId: row.id,
      token: lease.token,
      attempt: begun + 1,
      attemptsBefore,
      uncounted,
      event: structuredClone(event),
      webhook: { id, tenantId, name, secrets, channels },
      binding: channels.find((binding) => binding.id === bindingId),
      putOffSince: putOffSince === null ? null : new Date(putOffSince),
      ...(memo !== undefined && { memo }),
      ...(lostAt !== null && { lostAt: new Date(lostAt) }),
    };
  }

  function begin({ deliveryId: id, token }: Claim, leftMs: number, at: number): boolean {
    const row = rows.get(id);
    const lease = row?.lease;
    if (!lease || lease.token !== token || lease.endsAt <= at + leftMs) return false;
    if (lease.begunAt === null) write({ ...row, begun: row.begun + 1, lease: { ...lease, begunAt: at } });
    return true;
  }

  function settle({
    claim: { deliveryId: id, token },
    next,
    attempt,
    begin: others = [],
  }: Settlement): boolean {
    const row = rows.get(id);
    if (row?.lease?.token !== token) return false;
    for (const binding of webhooks.get(row.webhookId)?.channels ?? []) {
      if (others.includes(binding.id)) add(row.eventId, row.webhookId, binding);
    }
    const attempts = attempt ? [...row.attempts, structuredClone(attempt)] : row.attempts;
    const yields = row.yields || (next.status === 'pending' && next.yields === true);
    const memo = ('memo' in next ? next.memo : undefined) ?? row.memo;
    // Nothing was sent.
    const isUncounted = !attempt && row.lease.begunAt !== null;
    const begun = isUncounted ? row.begun - 1 : row.begun;
    const lostAt = next.status === 'released' ? row.lostAt : null;
    const isPutOff = next.status === 'released' || (next.status === 'pending' && next.isBusy);
    const since = next.status === 'released' && next.delayMs ? now() : null;
    const putOffSince = isPutOff ? (row.putOffSince ?? since) : null;
    const uncounted = row.uncounted + (next.status === 'pending' && next.isUncounted ? 1 : 0);
    if (next.status === 'pending' || next.status === 'released')
      pending(row, now() + (next.delayMs ?? 0), {
        attempts,
        begun,
        uncounted,
        lostAt,
        putOffSince,
        yields,
        memo,
      });
    // Of digests, which it does not gather: what is none is tried again at once, with a new schedule.
    else if (next.status === 'split')
      pending(row, now(), { attempts, attemptsBefore: begun, uncounted: 0, lostAt, putOffSince, memo });
    else finish({ ...row, begun, lostAt, memo }, next.status, attempts);
    return true;
  }

  function transition(tenantId: string, id: string, to: 'pending' | 'cancelled' | 'due'): boolean {
    const row = rows.get(id);
    if (row?.tenantId !== tenantId) return false;
    if (to === 'due') {
      if (row.status === 'pending') write({ ...row, dueAt: new Date(Math.min(dueAt(row), now())) });
      return row.status === 'pending';
    }
    if (to === 'cancelled' ? isFinal(row) : row.status === 'sending' || !ofTenant(tenantId, row.webhookId))
      return false;
    if (to === 'cancelled') finish(row, 'cancelled');
    else pending(row, now(), { attemptsBefore: row.begun, uncounted: 0, putOffSince: null, yields: true });
    return true;
  }

  const selected = (tenantId: string, selection: DeliverySelection): Row[] =>
    [...rows.values()].filter(
      (row) =>
        row.tenantId === tenantId &&
        (selection.eventId ?? row.eventId) === row.eventId &&
        (selection.eventType ?? row.eventType) === row.eventType &&
        (selection.webhookId ?? row.webhookId) === row.webhookId &&
        (!selection.status || selection.status.includes(row.status)) &&
        isWithin(row.eventId, selection),
    );

  /** The latest first, by a place that stays when what has it is gone: the next page goes on behind that. */
  function pageOf<Item extends { readonly id: string }>(
    items: readonly Item[],
    { limit, cursor, offset = 0, withTotal }: WebhookFilter,
    placeOf: (item: Item) => string,
  ): Page<Item> {
    if (cursor !== undefined && !/^[0-9A-Za-z_]{15,64}$/.test(cursor)) {
      throw new PosthornError('invalid_option', 'cursor must be one that a page came with');
    }
    const rest = items
      .filter((item) => cursor === undefined || placeOf(item) < cursor)
      .sort((a, b) => (placeOf(a) < placeOf(b) ? 1 : -1));
    const page = rest.slice(offset, offset + limit);
    return {
      items: structuredClone(page),
      nextCursor: rest.length > offset + limit ? placeOf(page.at(-1)!) : null,
      ...(withTotal && { total: items.length }),
    };
  }
  const placeOf = (number: number): string => String(number).padStart(15, '0');
  const byAge = ({ id }: { readonly id: string }): string => placeOf(order.get(id)!);
  /** An event's id begins with the time it was made, and a delivery's is made of that. */
  const byId = ({ id }: { readonly id: string }): string => id;

  return {
    supports: { documents: true },
    isVolatile: true,
    webhooks: {
      async create(webhook: NewWebhook) {
        if (webhooks.has(webhook.id)) throw new PosthornError('conflict', 'the webhook id is taken');
        const at = new Date(now());
        order.set(webhook.id, ++places);
        const added = { disabledReason: null, version: 1, createdAt: at, updatedAt: at };
        webhooks.set(webhook.id, structuredClone({ ...webhook, ...added }));
        return structuredClone(webhooks.get(webhook.id)!);
      },
      get: async (tenantId, id) =>
        structuredClone(tenantId === undefined ? webhooks.get(id) : ofTenant(tenantId, id)),
      async list(tenantId, filter) {
        const fits = ({ tenantId: owner, name, isActive, eventTypes }: WebhookRecord): boolean =>
          (tenantId ?? owner) === owner &&
          (filter.name ?? name) === name &&
          (filter.isActive ?? isActive) === isActive &&
          (!filter.keys || eventTypes.some((pattern) => filter.keys!.includes(pattern)));
        return pageOf([...webhooks.values()].filter(fits), filter, byAge);
      },
      async update(tenantId, id, version, change, { isUpkeep = false } = {}) {
        const webhook = ofTenant(tenantId, id);
        if (webhook?.version !== version) return undefined;
        const isSeen = !isUpkeep && Object.keys(change).some((field) => field !== 'secrets');
        const updatedAt = isSeen ? new Date(now()) : webhook.updatedAt;
        webhooks.set(id, structuredClone({ ...webhook, ...change, version: version + 1, updatedAt }));
        return structuredClone(webhooks.get(id)!);
      },
      async delete(tenantId, id, version) {
        const webhook = ofTenant(tenantId, id);
        if (!webhook || (version ?? webhook.version) !== webhook.version) return false;
        for (const row of rows.values()) if (row.webhookId === id && !isFinal(row)) finish(row, 'cancelled');
        return webhooks.delete(id);
      },
    },

    deliveries: {
      async publish(given, { claimFor } = {}) {
        const before = [new Map(events), new Map(rows), new Map(keys)] as const;
        try {
          const published = given.map((event) => earlier(event) ?? store(event));
          const at = new Date(now());
          return { published, claims: claimFor ? claim(claimFor) : [], at };
        } catch (error) {
          // All or none: back to what was there.
          for (const [i, map] of [events, rows, keys].entries()) {
            map.clear();
            for (const [key, value] of before[i]!) map.set(key, value as never);
          }
          throw error;
        }
      },
      claim: async (options) => claim(options),
      async renew(claims, leaseMs) {
        return claims.filter(({ deliveryId: id, token }) => {
          const row = rows.get(id);
          if (row?.lease?.token !== token) return false;
          return write({ ...row, lease: { ...row.lease, endsAt: now() + leaseMs } });
        });
      },
      async begin(claims, leftMs) {
        const at = now();
        return { begun: claims.filter((claim) => begin(claim, leftMs, at)), at: new Date(at) };
      },
      settle: async (settlements) => settlements.map(settle),
    },

    log: {
      async events(tenantId, { id, type, ...query }) {
        const all = [...events.values()].map(({ event }) => event);
        const fits = (event: Event): boolean =>
          event.tenantId === tenantId &&
          (id ?? event.id) === event.id &&
          (type ?? event.type) === event.type &&
          isWithin(event.id, query);
        return pageOf(all.filter(fits), query, byId);
      },
      async deliveries(tenantId, { id, ...filter }) {
        const found = selected(tenantId, filter).filter((row) => (id ?? row.id) === row.id);
        return pageOf(found.map(shown), filter, byId);
      },
      async attempts(tenantId, id) {
        const row = rows.get(id);
        return row?.tenantId === tenantId ? structuredClone(row.attempts) : [];
      },
      transition: async (tenantId, ids, to) => ids.filter((id) => transition(tenantId, id, to)),
      async prune({ olderThanMs, limit }) {
        const old = [...events].filter(([id, { publishedAt }]) => {
          const own = [...rows.values()].filter(({ eventId }) => eventId === id);
          return publishedAt + olderThanMs <= now() && own.every(isFinal);
        });
        for (const [id] of old.slice(0, limit)) {
          events.delete(id);
          for (const row of [...rows.values()].filter(({ eventId }) => eventId === id)) rows.delete(row.id);
        }
        return Math.min(old.length, limit);
      },
    },

    documents: {
      get: async (kind, id) => ({ document: written(documents.get(`${kind} ${id}`)), at: new Date(now()) }),
      async put({ kind, id, tenantId, body, dueInMs }, version) {
        const key = `${kind} ${id}`;
        const stored = documents.get(key);
        if ((stored?.version ?? 0) !== version || (stored?.tenantId ?? tenantId) !== tenantId)
          return undefined;
        if (body === null) documents.delete(key);
        else {
          const at = new Date(now());
          const { createdAt, place } = stored ?? { createdAt: at, place: placeOf(++places) };
          const dueAt = dueInMs === null ? null : new Date(now() + dueInMs);
          const given = { kind, id, tenantId, body, dueAt, createdAt, updatedAt: at, place };
          documents.set(key, { ...given, version: version + 1 });
        }
        return written(body === null ? stored : documents.get(key));
      },
      async list(kind, tenantId, query) {
        const all = [...documents.values()].filter(
          (one) => one.kind === kind && (tenantId ?? one.tenantId) === one.tenantId,
        );
        const page = pageOf(all, query, ({ place }) => place);
        return { ...page, items: page.items.map((item) => written(item)!) };
      },
      async due(kind, leaseMs) {
        const at = new Date(now());
        const [first] = [...documents.values()]
          .filter((one) => one.kind === kind && one.dueAt !== null && one.dueAt <= at)
          .sort((a, b) => Number(a.dueAt) - Number(b.dueAt));
        if (!first) return undefined;
        const lease = { version: first.version + 1, dueAt: new Date(now() + leaseMs), updatedAt: at };
        documents.set(`${kind} ${first.id}`, { ...first, ...lease });
        return written(documents.get(`${kind} ${first.id}`));
      },
    },
  };
}

/** A copy of a document, without its place. */
function written(stored: (Document & { readonly place: string }) | undefined): Document | undefined {
  if (!stored) return undefined;
  const { place, ...document } = stored;
  return structuredClone(document);
}

function shown({
  event,
  attempts,
  begun,
  uncounted,
  lease,
  lostAt,
  putOffSince,
  yields,
  memo,
  ...row
}: Row): Delivery {
  return { ...row, attempts: begun };
}
