export type Found =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'system' | 'embedded'; readonly folder: string }
  | { readonly kind: 'none'; readonly reason: string };

export interface PostgresServer {
  readonly url: string;
  /** The process that all others of the server are children of; undefined where the server is not ours. */
  readonly pid?: number;
  stop(): Promise<void>;
  halt?(mode?: 'immediate' | 'fast'): Promise<void>;
  start?(): Promise<void>;
}

export function findPostgres(): Found;

export function startPostgres(options?: {
  readonly settings?: Readonly<Record<string, string>>;
  readonly durable?: boolean;
}): Promise<PostgresServer>;
