import type { Leased, StoreAnswer } from './store-answer.js';

/** A channel binding that gets a delivery of each event of a kind. */
export type Target = Leased['target'] & { readonly tenantId: string; readonly channel: string };

/** Events of one tenant and type, and their targets in this version of the tenant's webhooks. */
export interface Kind {
  readonly tenantId: string;
  readonly type: string;
  readonly version: string;
  readonly targets: readonly Target[];
}

interface Tenant {
  readonly version: string;
  readonly kinds: Map<string, Kind>;
  weight: number;
}

/** The limit for kinds and targets together. */
const maxWeight = 100_000;
/**
 * Kinds with more targets use the general statement, which finds them in the database: sending each one costs more.
 */
export const maxTargets = 100;

/**
 * The cache of targets by tenant and type, as the general statement answered them with the version of the tenant's
 * webhooks. It may be out of date: the statement that uses it checks the version.
 */
export class KnownTargets {
  readonly #tenants = new Map<string, Tenant>();
  #weight = 0;

  of(tenantId: string, type: string): Kind | undefined {
    return this.#tenants.get(tenantId)?.kinds.get(type);
  }

  /** Keeps the targets of these pairs of tenant and type, except where one of them gathers digests. */
  learn(sorts: readonly { readonly tenant: string; readonly type: string }[], answer: StoreAnswer): void {
    const targetsOf = sorts.map((): Target[] => []);
    const gathers = new Set<number>();
    for (const [sort, id, stamp, bindingId, channel, window] of answer.targets) {
      targetsOf[sort]!.push({ id, stamp, bindingId, tenantId: sorts[sort]!.tenant, channel: channel! });
      if (window !== null) gathers.add(sort);
    }
    const versions = new Map(answer.versions);
    for (const [sort, { tenant: tenantId, type }] of sorts.entries()) {
      const targets = targetsOf[sort]!;
      const version = versions.get(tenantId);
      if (version === undefined || gathers.has(sort) || targets.length > maxTargets) continue;
      this.#keep({ tenantId, type, version, targets });
    }
  }

  #keep(kind: Kind): void {
    let tenant = this.#tenants.get(kind.tenantId);
    if (tenant?.version !== kind.version) {
      this.#drop(kind.tenantId);
      tenant = { version: kind.version, kinds: new Map(), weight: 0 };
      this.#tenants.set(kind.tenantId, tenant);
    }
    const weight = 1 + kind.targets.length;
    // In one version a kind always has the same targets.
    if (tenant.kinds.has(kind.type)) return;
    tenant.kinds.set(kind.type, kind);
    tenant.weight += weight;
    this.#weight += weight;
    while (this.#weight > maxWeight) this.#drop(this.#tenants.keys().next().value!);
  }

  #drop(tenantId: string): void {
    this.#weight -= this.#tenants.get(tenantId)?.weight ?? 0;
    this.#tenants.delete(tenantId);
  }
}
