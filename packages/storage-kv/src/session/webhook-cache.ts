import { decodeWebhook, type StoredWebhook } from '../rows/webhook-row.js';
import type { Draft } from '../space/draft.js';
import { code } from '../space/keys.js';

/** More of either are not kept: then it begins anew. */
const maxWebhooks = 10_000;
const maxPatterns = 50_000;

/** The ids of a tenant's active webhooks by pattern, as they were at one version of all of them. */
interface Tenant {
  readonly version: string;
  readonly byPattern: Map<string, readonly string[]>;
}

/**
 * Webhooks as this process read them last. Each transaction reads the row or the version anew: what is kept here saves
 * decoding and look-ups, and is never the source of truth.
 */
export class WebhookCache {
  readonly #webhooks = new Map<string, { readonly text: string; readonly webhook: StoredWebhook }>();
  readonly #tenants = new Map<string, Tenant>();
  #patterns = 0;

  async find(draft: Draft, id: string): Promise<StoredWebhook | undefined> {
    const text = await draft.get(`w/${id}`);
    if (text === undefined) return undefined;
    const known = this.#webhooks.get(id);
    if (known?.text === text) return known.webhook;
    const webhook = decodeWebhook(id, text);
    if (this.#webhooks.size >= maxWebhooks) this.#webhooks.clear();
    this.#webhooks.set(id, { text, webhook });
    return webhook;
  }

  async matching(
    draft: Draft,
    tenantId: string,
    patterns: readonly string[],
  ): Promise<readonly StoredWebhook[]> {
    const tenantCode = code(tenantId);
    const version = await draft.get(`v/${tenantCode}`);
    if (version === undefined) return [];
    const tenant = this.#tenantAt(tenantCode, version);
    const ids = new Set<string>();
    for (const pattern of patterns) {
      for (const id of await this.#holders(draft, tenantCode, tenant, pattern)) ids.add(id);
    }
    const found: StoredWebhook[] = [];
    for (const id of ids) {
      const webhook = await this.find(draft, id);
      if (webhook) found.push(webhook);
    }
    return found;
  }

  #tenantAt(tenantCode: string, version: string): Tenant {
    const known = this.#tenants.get(tenantCode);
    if (known?.version === version && this.#patterns < maxPatterns) return known;
    if (this.#patterns >= maxPatterns || this.#tenants.size >= maxWebhooks) {
      this.#tenants.clear();
      this.#patterns = 0;
    }
    const tenant = { version, byPattern: new Map() };
    this.#tenants.set(tenantCode, tenant);
    return tenant;
  }

  async #holders(
    draft: Draft,
    tenantCode: string,
    { byPattern }: Tenant,
    pattern: string,
  ): Promise<readonly string[]> {
    const known = byPattern.get(pattern);
    if (known) return known;
    const ids: string[] = [];
    for await (const [, id] of draft.each(`p/${tenantCode}/${code(pattern)}/`)) ids.push(id);
    byPattern.set(pattern, ids);
    this.#patterns++;
    return ids;
  }
}
