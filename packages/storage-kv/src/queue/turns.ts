import type { ClaimOptions } from '@posthorn/core/storage';
import type { Entry } from '../rows/entry.js';
import type { Session } from '../session/session.js';
import { code, num, parseNum } from '../space/keys.js';
import { form, namedGathering } from './digests.js';

/** A webhook with something due, and what one claim still may take of it. */
interface Lane {
  readonly webhookId: string;
  readonly webhook: number;
  left: number;
  /** What is due, as far as it was read. */
  due: AsyncIterator<readonly [key: string, value: string]>;
}

/** A tenant in line, and what one claim still may take of it. */
interface Tenant {
  readonly id: string;
  left: number;
  /** Its lanes that have not had a turn yet, and then those that have, in the order of their turns. */
  readonly fresh: AsyncIterator<readonly [key: string, value: string]>;
  readonly served: Lane[];
}

/**
 * The order in which one claim takes what is due: one of each tenant in turn, of one webhook of it after the other. Who has
 * had a turn goes to the end of its line; who has no room keeps its place.
 */
export class Turns {
  readonly #session: Session;
  readonly #options: ClaimOptions;
  readonly #fresh: AsyncIterator<readonly [key: string, value: string]>;
  /** Those that have had a turn, in that order. */
  readonly #served: Tenant[] = [];
  /** In the order of their last turns. */
  readonly #lastTenants = new Map<string, string>();
  readonly #lastLanes = new Map<number, Lane>();

  constructor(session: Session, options: ClaimOptions) {
    this.#session = session;
    this.#options = options;
    this.#fresh = session.draft.each('t/');
  }

  /** What is next; undefined where nothing is due that there is room for. */
  async next(): Promise<Entry | undefined> {
    for (let tenant = await this.#nextTenant(); tenant; tenant = await this.#nextTenant()) {
      if (tenant.left <= 0) continue;
      const found = await this.#nextOf(tenant);
      if (!found) continue;
      const { entry, lane } = found;
      tenant.left--;
      lane.left--;
      tenant.served.push(lane);
      this.#served.push(tenant);
      this.#lastLanes.delete(lane.webhook);
      this.#lastLanes.set(lane.webhook, lane);
      this.#lastTenants.delete(tenant.id);
      this.#lastTenants.set(tenant.id, tenant.id);
      return entry;
    }
    return undefined;
  }

  /** Puts all that had a turn at the end of its line. */
  async end(): Promise<void> {
    const { lanes } = this.#session;
    await lanes.arrange();
    for (const lane of this.#lastLanes.values()) await lanes.lastOfTenant(lane);
    for (const tenantId of this.#lastTenants.values()) await lanes.lastOfAll(tenantId);
  }

  async #nextTenant(): Promise<Tenant | undefined> {
    const step = await this.#fresh.next();
    if (step.done) return this.#served.shift();
    const id: string = step.value[1];
    const { tenantLimit = Number.POSITIVE_INFINITY, tenantRoom } = this.#options;
    return {
      id,
      left: tenantRoom?.get(id) ?? tenantLimit,
      fresh: this.#session.draft.each(`r/${code(id)}/`),
      served: [],
    };
  }

  /** The first of the tenant's next lane that has room, and something due. */
  async #nextOf(tenant: Tenant): Promise<{ readonly entry: Entry; readonly lane: Lane } | undefined> {
    for (let lane = await this.#nextLane(tenant); lane; lane = await this.#nextLane(tenant)) {
      if (lane.left <= 0) continue;
      const entry = await this.#firstDue(lane);
      if (entry) return { entry, lane };
      // It has nothing more.
      this.#session.lanes.touch(lane);
    }
    return undefined;
  }

  async #nextLane(tenant: Tenant): Promise<Lane | undefined> {
    const step = await tenant.fresh.next();
    if (step.done) return tenant.served.shift();
    const [number, webhookId] = step.value[1].split(' ') as [string, string];
    const { webhookRoom, webhookLimit } = this.#options;
    const webhook = parseNum(number);
    const left = webhookRoom.get(webhookId) ?? webhookLimit;
    return { webhookId, webhook, left, due: this.#due(webhook) };
  }

  #due(webhook: number): Lane['due'] {
    const queue = `q/${num(webhook)}/`;
    return this.#session.draft.each(queue, { before: queue + num(this.#session.now + 1) });
  }

  async #firstDue(lane: Lane): Promise<Entry | undefined> {
    const { draft } = this.#session;
    const webhook = await this.#session.webhookOf(lane);
    if (!webhook) return undefined;
    for (let step = await lane.due.next(); !step.done; step = await lane.due.next()) {
      const [key, value] = step.value;
      // Another of its chain may have gone since it was read.
      if ((await draft.get(key)) !== value) continue;
      if (!value.startsWith('b/')) return this.#session.entry(value);
      // The window of what gathers is over. What is left of it may be due, too, wherever it stands now.
      lane.due = this.#due(lane.webhook);
      return form(this.#session, namedGathering(value, lane.webhookId), webhook);
    }
    return undefined;
  }
}
