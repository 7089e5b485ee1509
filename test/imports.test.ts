import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import ts from 'typescript';
import { type File, importsOf, type Manifest, nodesOf, resolveImport } from './files.js';
import { type Rule, rule } from './rule.js';

/**
 * The folders ("rooms") and root files of the packages that have rooms, from the lowest floor up. A file imports from
 * its own room and from lower floors. Rooms on one line do not import each other. The README in core's sources
 * describes each room.
 */
const houses: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'packages/core/src/': floors(`
    errors
    duration deadline matching
    models
    validation
    storage
    lifecycle
    channels
    secrets events
    channel schemas delivery
    webhooks history replays api-keys
    options
    engine
    dispatcher
    index
  `),
  'packages/storage-kv/src/': floors(`
    store sqlite-database
    space
    rows
    session
    queue
    log webhooks documents
    memory-kv sqlite-kv storage
    index
  `),
  'packages/storage-postgres/src/': floors(`
    client
    schema queue transactions
    log documents webhooks notifier
    storage
    index
  `),
};

function floors(text: string): readonly (readonly string[])[] {
  return text
    .trim()
    .split('\n')
    .map((floor) => floor.trim().split(' '));
}

/** Types that the build copies into the .d.ts of a package, so that its users do not need the dependency. */
const copiedTypes = ['@standard-schema/spec'];

const network = /^(?:undici|(?:node:)?(?:http|https|http2|net|tls|dgram))$/;
const globals = new Set(['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest']);

const isCode = ({ path }: File): boolean => /\.[mc]?[jt]s$/.test(path);

/** The room of a file, or its own name if it is in none. */
const roomOf = (path: string, house: string): string =>
  path.slice(house.length).split('/')[0]!.replace(/\.ts$/, '');

const oneWay: Rule = (files) =>
  Object.entries(houses).flatMap(([house, rooms]) => {
    const floorOf = (room: string): number => rooms.findIndex((floor) => floor.includes(room));
    return files
      .filter((file) => isCode(file) && file.path.startsWith(house))
      .flatMap((file) => {
        const room = roomOf(file.path, house);
        const floor = floorOf(room);
        if (floor === -1) return [`${file.path}: is on none of the floors in test/imports.test.ts`];
        return importsOf(file).flatMap((specifier) => {
          const path = resolveImport(file, specifier);
          if (!path.startsWith(house)) return [];
          const wanted = roomOf(path, house);
          const isBelow = wanted === room || floorOf(wanted) < floor;
          return isBelow ? [] : [`${file.path}: imports ${specifier}, which is not below it`];
        });
      });
  });

/** Files of a package must not import each other in a cycle. Types count. */
const noCircles: Rule = (files) => {
  const sources = files.filter((file) => isCode(file) && /^packages\/[^/]+\/src\//.test(file.path));
  const importsOfEach = new Map(
    sources.map((file) => [file.path, importsOf(file).map((specifier) => resolveImport(file, specifier))]),
  );
  const left = new Set(importsOfEach.keys());
  // A file that imports no remaining file, or that no remaining file imports, is in no cycle. Repeat until none is
  // left.
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    const imported = new Set([...left].flatMap((path) => importsOfEach.get(path)!));
    for (const path of left) {
      if (!imported.has(path) || !importsOfEach.get(path)!.some((each) => left.has(each))) left.delete(path);
    }
  }
  return [...left].map((path) => `${path}: is in a cycle of imports, or between two`);
};

const ownImportsOnly: Rule = (files) => {
  const manifests = new Map<string, Manifest>(
    files
      .filter(({ path }) => posix.basename(path) === 'package.json')
      .map(({ path, text }) => [posix.dirname(path), JSON.parse(text)]),
  );
  const doors = new Set(
    [...manifests.values()].flatMap(({ name, exports }) =>
      Object.keys(exports ?? {}).map((door) => posix.join(name, door)),
    ),
  );
  const ownerOf = (path: string): string => {
    const folder = posix.dirname(path);
    return manifests.has(folder) || folder === '.' ? folder : ownerOf(folder);
  };
  return files.filter(isCode).flatMap((file) => {
    const owner = ownerOf(file.path);
    const { name, dependencies, peerDependencies, devDependencies } = manifests.get(owner)!;
    const published = file.path.startsWith('packages/') && file.path.startsWith(`${owner}/src/`);
    const declared = new Set([
      ...Object.keys({ ...dependencies, ...peerDependencies }),
      ...(published
        ? copiedTypes
        : [name, ...Object.keys({ ...devDependencies, ...manifests.get('.')?.devDependencies })]),
    ]);
    return importsOf(file).flatMap((specifier) => {
      if (specifier.startsWith('.')) {
        const path = resolveImport(file, specifier);
        const target = ownerOf(path);
        // Unpublished packages may use the repository's own scripts.
        if (!owner.startsWith('packages/') && path.startsWith('scripts/')) return [];
        return target === owner ? [] : [`${file.path}: reaches into ${target} by a path`];
      }
      if (isBuiltin(specifier)) return [];
      const parts = specifier.split('/');
      const wanted = parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
      if (wanted.startsWith('@posthorn/') && !doors.has(specifier)) {
        return [`${file.path}: reaches into ${wanted} by ${specifier}`];
      }
      return declared.has(wanted) ? [] : [`${file.path}: imports ${wanted}, which ${name} does not declare`];
    });
  });
};

const oneDoor: Rule = (files) =>
  files
    .filter(
      (file) =>
        isCode(file) &&
        /^packages\/(?!outbound\/|testing\/src\/(?:hostile-receiver|[^/]+-stand-in)\/)[^/]+\/src\//.test(
          file.path,
        ),
    )
    .flatMap((file) => [
      ...importsOf(file)
        .filter((specifier) => network.test(specifier))
        .map((specifier) => `${file.path}: imports ${specifier}`),
      ...[...nodesOf(file)]
        .filter((node) => ts.isIdentifier(node) && globals.has(node.text) && isGlobalUse(node))
        .map((node) => `${file.path}: uses the global ${node.getText()}`),
    ]);

/**
 * Matches `fetch(…)`, `const send = fetch` and `globalThis.fetch`, but not `handler.fetch` or a method of that name.
 */
function isGlobalUse(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) {
    return /^(?:globalThis|global)$/.test(parent.expression.getText());
  }
  const isItsName = 'name' in parent && parent.name === node;
  return !isItsName || ts.isShorthandPropertyAssignment(parent);
}

const threeDependencies: Rule = (files) => {
  const path = 'packages/core/package.json';
  const { dependencies }: Manifest = JSON.parse(files.find((file) => file.path === path)!.text);
  const names = Object.keys(dependencies ?? {}).sort();
  return `${names}` === 'eventemitter3,p-retry,zod' ? [] : [`${path}: depends on ${names.join(', ')}`];
};

rule('imports point one way, down the floors of a house', oneWay, {
  'packages/core/src/errors.ts': `export * from './models/webhook.js';`,
  'packages/core/src/matching.ts': `import type { Webhook } from './models/webhook.js';`,
  'packages/core/src/channels/verdict.ts': `export type Door = import('../index.js').Door;`,
  'packages/core/src/history/log.ts': `import { replays } from '../replays/replays.js';`,
  'packages/core/src/drawer.ts': `export const everything = 1;`,
  'packages/storage-postgres/src/client/database.ts': `import '../queue/lanes.js';`,
});

rule('no file imports itself by way of others', noCircles, {
  'packages/core/src/errors.ts': `export type { Duration } from './duration.js';`,
  'packages/template/src/index.ts': `export * from './index.js';`,
});

rule('a package imports what it declares, and no inside of another', ownImportsOnly, {
  'packages/core/src/undeclared.ts': `import 'undici';`,
  'packages/core/src/for-tests.ts': `import { memoryStorage } from '@posthorn/storage-memory';`,
  'packages/outbound/src/by-path.ts': `export * from '../../core/src/matching.js';`,
  'packages/outbound/test/by-path.test.ts': `await import('../../core/src/matching.js');`,
  'packages/storage-memory/src/inside.ts': `import type { Id } from '@posthorn/core/dist/ids.js';`,
  'packages/storage-memory/test/source.test.ts': `import '@posthorn/core/src/index.js';`,
  'test/inside.ts': `import '../packages/core/src/index.js';`,
});

rule('only outbound opens connections', oneDoor, {
  'packages/core/src/client.ts': `import { request } from 'undici';`,
  'packages/channel-http/src/old.ts': `import http from 'http';`,
  'packages/storage-memory/src/sync.ts': `const net = await import('node:net');`,
  'packages/channel-http/src/global.ts': `export const send = (url: string) => fetch(url);`,
  'packages/testing/src/stand-in.ts': `import { createServer } from 'node:http';`,
  'packages/channel-http/src/alias.ts': `const send = globalThis.fetch;`,
});

rule('core has three runtime dependencies: eventemitter3, p-retry, zod', threeDependencies, {
  'packages/core/package.json': `{ "dependencies": { "eventemitter3": "1", "p-retry": "1", "zod": "1", "nanoid": "1" } }`,
});
