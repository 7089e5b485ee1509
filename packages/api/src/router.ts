import type { Method, Route } from './route.js';

/** The match of a path: its routes by method, and its parameters. */
export interface Found {
  readonly routes: ReadonlyMap<Method, Route>;
  readonly params: Readonly<Record<string, string>>;
}

interface Node {
  readonly routes: Map<Method, Route>;
  readonly next: Map<string, Node>;
  /** The node for any other segment, and the name of the parameter. */
  parameter?: { readonly name: string; readonly node: Node };
}

/** The longest name has 200 characters, each of which may take twelve when percent-encoded. */
const maxSegmentLength = 2_400;
const node = (): Node => ({ routes: new Map(), next: new Map() });

/** Finds the routes of a path below the base path. Literal segments take precedence over parameters. */
export function router(routes: readonly Route[]): (path: string) => Found | undefined {
  const root = node();
  for (const route of routes) {
    let at = root;
    for (const segment of route.path.split('/').slice(1)) {
      const name = /^\{(\w+)\}$/.exec(segment)?.[1];
      if (name) {
        at.parameter ??= { name, node: node() };
        at = at.parameter.node;
      } else {
        if (!at.next.has(segment)) at.next.set(segment, node());
        at = at.next.get(segment)!;
      }
    }
    at.routes.set(route.method, route);
  }
  fillUp(root);

  return (path) => {
    const params: Record<string, string> = Object.create(null);
    let at = root;
    // One trailing slash is ignored.
    for (const segment of path.replace(/\/$/, '').split('/').slice(1)) {
      const text = decoded(segment);
      if (text === undefined) return undefined;
      if (at.parameter) params[at.parameter.name] = text;
      const next = at.next.get(segment) ?? at.parameter?.node;
      if (!next) return undefined;
      at = next;
    }
    return at.routes.size > 0 ? { routes: at.routes, params } : undefined;
  };
}

/** A literal segment that lacks a method is a parameter for that method: a webhook may be called `list`. */
function fillUp({ next, parameter }: Node): void {
  for (const child of next.values()) {
    for (const [method, route] of parameter?.node.routes ?? []) {
      if (!child.routes.has(method)) child.routes.set(method, route);
    }
    fillUp(child);
  }
  if (parameter) fillUp(parameter.node);
}

/** The decoded segment; undefined if it is empty, too long, badly encoded, or has control characters. */
function decoded(segment: string): string | undefined {
  if (segment === '' || segment.length > maxSegmentLength) return undefined;
  try {
    const text = decodeURIComponent(segment);
    return /[\p{Cc}\p{Cs}]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
