import type { Duration } from '../duration.js';
import type { TenantOption } from '../models/fields.js';
import type { SecretKind } from '../secrets/secrets.js';

/** The options of `webhooks.rotateSecret`. */
export interface RotateOptions extends TenantOption {
  /** The new secret, `whsec_…` or `whsk_…`, in either alphabet of base64. Default: made by the engine, of `kind`. */
  readonly secret?: string;
  /** Default `v1`. */
  readonly kind?: SecretKind;
  /** How long the old secret signs, too: up to 365 days, 0 if it cannot be decrypted. Default 24 hours. */
  readonly overlap?: Duration;
}

/** The options of `webhooks.update` and `webhooks.delete`. */
export interface VersionOption extends TenantOption {
  /** The version that was read. Rejects with `conflict` if the webhook has another one by now. Default: any. */
  readonly version?: number;
}
