export type Found =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'system' | 'embedded'; readonly folder: string }
  | { readonly kind: 'none'; readonly reason: string };

export interface PostgresServer {
  readonly url: string;
  /** The main process of the server, parent of all others; undefined if the server was not started here. */
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
