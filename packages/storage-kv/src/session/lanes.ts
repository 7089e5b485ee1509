import type { WebhookRecord } from '@posthorn/core/storage';
import type { Draft } from '../space/draft.js';
import { code, num, parseNum, partOf } from '../space/keys.js';

/** What lanes need of a session. */
interface LaneSession {
  readonly draft: Draft;
  readonly now: number;
  number(): number;
  webhookOf(of: { readonly webhookId: string; readonly webhook: number }): Promise<WebhookRecord | undefined>;
}

/** The webhook of a lane. */
export interface LaneName {
  readonly webhookId: string;
  readonly webhook: number;
}

/**
 * Where each webhook with something in its queue stands: asleep until the first of it is due, or among those of its tenant
 * that are ready and take turns. A call says which queues it has touched, and they are put in their places at its end.
 */
export class Lanes {
  readonly #session: LaneSession;
  readonly #touched = new Map<number, string>();

  constructor(session: LaneSession) {
    this.#session = session;
  }

  /** The queue of the webhook has changed, or whether it is active. */
  touch({ webhookId, webhook }: LaneName): void {
    this.#touched.set(webhook, webhookId);
  }

  /** Puts every lane that was touched in its place. */
  async arrange(): Promise<void> {
    for (const [webhook, webhookId] of this.#touched) await this.#place({ webhook, webhookId });
    this.#touched.clear();
  }

  /** Makes ready those of whose queue something is due by now: those that have waited for longest, at most `limit`. */
  async wake(limit: number): Promise<void> {
    const { draft, now } = this.#session;
    await this.arrange();
    const due = await draft.under('s/', { before: `s/${num(now + 1)}`, limit });
    for (const [key, webhookId] of due) this.touch({ webhook: parseNum(partOf(key, 2)), webhookId });
    await this.arrange();
  }

  async #place(lane: LaneName): Promise<void> {
    const { draft, now } = this.#session;
    const record = await this.#session.webhookOf(lane);
    const number = num(lane.webhook);
    const [first] = record?.isActive ? await draft.under(`q/${number}/`, { limit: 1 }) : [];
    const held = await draft.get(`n/${number}`);
    const due = first && partOf(first[0], 2);
    if (due === undefined) return this.#move(number, held, undefined);
    if (parseNum(due) > now) return this.#move(number, held, `s/${due}/${number}`, lane.webhookId);
    if (held?.startsWith('r/')) return;
    await this.#ready(number, held, lane.webhookId, record!.tenantId);
  }

  async #move(
    number: string,
    held: string | undefined,
    place: string | undefined,
    value = '',
  ): Promise<void> {
    const { draft } = this.#session;
    if (held === place) return;
    if (held !== undefined) draft.delete(held);
    if (place === undefined) draft.delete(`n/${number}`);
    else {
      draft.set(place, value);
      draft.set(`n/${number}`, place);
    }
    if (held?.startsWith('r/')) await this.#leave(partOf(held, 1));
  }

  /** To the end of its tenant's line. */
  async #ready(number: string, held: string | undefined, webhookId: string, tenantId: string): Promise<void> {
    const { draft } = this.#session;
    const tenant = code(tenantId);
    const place = `r/${tenant}/${num(this.#session.number())}`;
    await this.#move(number, held, place, `${number} ${webhookId}`);
    if ((await draft.get(`m/${tenant}`)) === undefined) this.#joinLine(tenant, tenantId);
  }

  #joinLine(tenant: string, tenantId: string): void {
    const { draft } = this.#session;
    const turn = `t/${num(this.#session.number())}`;
    draft.set(turn, tenantId);
    draft.set(`m/${tenant}`, turn);
  }

  /** The tenant leaves the line where none of its lanes is ready any more. */
  async #leave(tenant: string): Promise<void> {
    const { draft } = this.#session;
    if ((await draft.under(`r/${tenant}/`, { limit: 1 })).length > 0) return;
    const turn = await draft.get(`m/${tenant}`);
    if (turn === undefined) return;
    draft.delete(turn);
    draft.delete(`m/${tenant}`);
  }

  /** It was its turn: the lane goes behind the others of its tenant, if it is still ready. */
  async lastOfTenant({ webhook, webhookId }: LaneName): Promise<void> {
    const { draft } = this.#session;
    const number = num(webhook);
    const held = await draft.get(`n/${number}`);
    if (!held?.startsWith('r/')) return;
    const place = `r/${partOf(held, 1)}/${num(this.#session.number())}`;
    draft.delete(held);
    draft.set(place, `${number} ${webhookId}`);
    draft.set(`n/${number}`, place);
  }

  /** It was its turn: the tenant goes behind the others, if a lane of it is still ready. */
  async lastOfAll(tenantId: string): Promise<void> {
    const { draft } = this.#session;
    const tenant = code(tenantId);
    const turn = await draft.get(`m/${tenant}`);
    if (turn === undefined) return;
    draft.delete(turn);
    this.#joinLine(tenant, tenantId);
  }
}
