import type { Method, Route } from './route.js';

/** What a path leads to: the routes there by their methods, and its parameters. */
export interface Found {
  readonly routes: ReadonlyMap<Method, Route>;
  readonly params: Readonly<Record<string, string>>;
}

interface Node {
  readonly routes: Map<Method, Route>;
  readonly next: Map<string, Node>;
  /** The way on for any other segment, and what it is called. */
  parameter?: { readonly name: string; readonly node: Node };
}

const maxSegmentLength = 1000;
const node = (): Node => ({ routes: new Map(), next: new Map() });

/** Finds the routes of a path below the base path; what is written goes before what is a parameter. */
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

  return (path) => {
    const params: Record<string, string> = Object.create(null);
    let at = root;
    // One slash at the end changes nothing.
    for (const segment of path.replace(/\/$/, '').split('/').slice(1)) {
      const known = at.next.get(segment);
      if (known) {
        at = known;
        continue;
      }
      const text = decoded(segment);
      if (!at.parameter || text === undefined) return undefined;
      params[at.parameter.name] = text;
      at = at.parameter.node;
    }
    return at.routes.size > 0 ? { routes: at.routes, params } : undefined;
  };
}

/** Undefined for a segment that can name nothing: empty, too long, badly encoded, with control characters. */
function decoded(segment: string): string | undefined {
  if (segment === '' || segment.length > maxSegmentLength) return undefined;
  try {
    const text = decodeURIComponent(segment);
    return /[\p{Cc}\p{Cs}]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
