import type { Dispatcher, Scope } from '@posthorn/core';
import type { z } from 'zod';
import type { Caller } from './authenticate.js';
import type { HeaderReader } from './exchange.js';
import type { ErrorStatus } from './refusal.js';

/** The engine behind the API. The types of its catalog do not matter: input is validated at run time. */
export type AnyDispatcher = Dispatcher;

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** One validated request, as a route gets it. */
export interface Call<Query = unknown, Body = unknown> {
  readonly dispatcher: AnyDispatcher;
  readonly caller: Caller;
  /** The caller's tenant: the only source of the tenant for every call of the engine. */
  readonly tenantId: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  /** The body as received. */
  readonly bodyText: string | undefined;
  readonly headers: HeaderReader;
}

/** The answer of a route: a value that is written as JSON, or JSON text, or JSON text in pieces. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly text?: string;
  readonly pieces?: AsyncGenerator<string>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The documentation of a route's success. */
export interface Success {
  readonly status: number;
  readonly description: string;
  /** Left out: no body. */
  readonly schema?: z.ZodType;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One call of the API, with its documentation. */
export interface Route<Query extends z.ZodType = z.ZodType, Body extends z.ZodType = z.ZodType> {
  readonly method: Method;
  /** Below the base path; `{name}` is a parameter. */
  readonly path: string;
  /** Its name in the documentation and in generated clients. */
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  /** The scopes that credentials need, all of them. An empty list: any valid credentials. `open`: no credentials. */
  readonly scopes: readonly Scope[] | 'open';
  /** Left out: no parameters. */
  readonly query?: Query;
  /** Left out: no body. If the schema accepts undefined, clients may leave the body out. */
  readonly body?: Body;
  readonly requestHeaders?: Readonly<Record<string, string>>;
  readonly success: Success;
  /** Another success, with another status. */
  readonly alsoAnswers?: Success;
  /** Errors in addition to those of every route. */
  readonly errors?: readonly (ErrorStatus | 422)[];
  /** Whether the call makes the engine send something, and so counts against `testRateLimit`. */
  readonly isSending?: boolean;
  handle(call: Call<z.output<Query>, z.output<Body>>): Promise<Answer>;
}

/** Infers the parameter type of `handle` from the schemas. */
export function route<Query extends z.ZodType, Body extends z.ZodType>(route: Route<Query, Body>): Route {
  return route as unknown as Route;
}
