import type { Dispatcher, Scope } from '@posthorn/core';
import type { z } from 'zod';
import type { Caller } from './authenticate.js';
import type { HeaderReader } from './exchange.js';
import type { ErrorStatus } from './refusal.js';

/** The engine behind the API. Its catalog's types do not matter here: what comes in is checked. */
// biome-ignore lint/suspicious/noExplicitAny: of any storage and any catalog.
export type AnyDispatcher = Dispatcher<any, any>;

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** What a route has of one request, checked. */
export interface Call<Query = unknown, Body = unknown> {
  readonly dispatcher: AnyDispatcher;
  readonly caller: Caller;
  /** Whose everything is; there is no other source for it. */
  readonly tenantId: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  /** The body as it came. */
  readonly bodyText: string | undefined;
  readonly headers: HeaderReader;
}

/** What a route answers: a value that becomes JSON, or JSON text as it is, or in pieces. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly text?: string;
  readonly pieces?: AsyncGenerator<string>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a route answers where all went well, as its documentation has it. */
export interface Success {
  readonly status: number;
  readonly description: string;
  /** Left out: no body. */
  readonly schema?: z.ZodType;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One call of the API, and all that its documentation says of it. */
export interface Route<Query extends z.ZodType = z.ZodType, Body extends z.ZodType = z.ZodType> {
  readonly method: Method;
  /** Below the base path; `{name}` is a parameter. */
  readonly path: string;
  /** Its name in the documentation and in generated clients. */
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  /** What credentials need, all of them; with none, any will do. `open` needs no credentials. */
  readonly scopes: readonly Scope[] | 'open';
  /** Left out: no parameters. */
  readonly query?: Query;
  /** Left out: no body. One that takes undefined may be left out by clients. */
  readonly body?: Body;
  readonly requestHeaders?: Readonly<Record<string, string>>;
  readonly success: Success;
  /** Another success, of another status. */
  readonly alsoAnswers?: Success;
  /** Besides those that any route may answer. */
  readonly errors?: readonly (ErrorStatus | 422)[];
  /** Counts against the limit of calls that make the engine send something. */
  readonly isSending?: boolean;
  handle(call: Call<z.output<Query>, z.output<Body>>): Promise<Answer>;
}

/** Infers what `handle` gets from the schemas. */
export function route<Query extends z.ZodType, Body extends z.ZodType>(route: Route<Query, Body>): Route {
  return route as unknown as Route;
}
