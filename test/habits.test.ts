import { posix } from 'node:path';
import ts from 'typescript';
import { type File, importsOf, nodesOf } from './files.js';
import { type Rule, rule } from './rule.js';

const waits = new Set(['setTimeout', 'setInterval', 'sleep', 'delay']);
const drawers = /^(?:utils?|helpers?|common|types|misc)$/;

/**
 * Home folders, and hosts of package registries. The words are split, so that this file does not break the rule itself.
 */
const folders = new RegExp(`(?<![\\w.~-])/(?:(?:${['home', 'Users'].join('|')})/\\w|(?:root|work)/)`);
const windowsFolder = /[A-Z]:\\Users\\/;
const registries = new RegExp(
  `\\b(?:${['registry', 'npm\\.pkg'].join('|')})\\.[a-z0-9.-]*\\.?(?:com|org|net|io|dev|cloud|internal|local|cn)\\b`,
);

const noSleeps: Rule = (files) =>
  files
    .filter(({ path }) => path.endsWith('.test.ts'))
    .flatMap((file) => [
      ...importsOf(file)
        .filter((specifier) => /^(?:node:)?timers(?:\/promises)?$/.test(specifier))
        .map((specifier) => `${file.path}: imports ${specifier}`),
      ...[...nodesOf(file)]
        .filter(ts.isCallExpression)
        .map(({ expression }) => (ts.isPropertyAccessExpression(expression) ? expression.name : expression))
        .filter((called) => waits.has(called.getText()))
        .map((called) => `${file.path}: calls ${called.getText()}; wait with until(…) of @posthorn/testing`),
    ]);

const noDrawers: Rule = (files) =>
  files
    .filter(({ path }) => path.split('/').some((part) => drawers.test(part.split('.')[0]!)))
    .map(({ path }) => `${path}: name it after what is in it`);

/** Tests of a source lie in the same folder of `test`, those of no single one at its root, by the name of their subject. */
const mirrored: Rule = (files) => {
  const paths = files.map(({ path }) => path);
  const sources = new Set(paths);
  return paths.flatMap((path) => {
    const [, house, rest] = /^(packages\/[^/]+\/)test\/(.*)\.test\.ts$/.exec(path) ?? [];
    if (house === undefined || rest === undefined || sources.has(`${house}src/${rest}.ts`)) return [];
    const name = `/${posix.basename(rest)}.ts`;
    const own = paths.filter((source) => source.startsWith(`${house}src/`) && source.endsWith(name));
    if (own.length > 0) return [`${path}: its source is ${own.join(' or ')}`];
    return rest.includes('/') ? [`${path}: is in a folder, and of no source there`] : [];
  });
};

const noPlaces: Rule = (files) =>
  files.flatMap(({ path, text }: File) =>
    [folders, windowsFolder, registries]
      .flatMap((pattern) => pattern.exec(text) ?? [])
      .map((found) => `${path}: mentions ${found}`),
  );

rule('no test sleeps', noSleeps, {
  'packages/core/test/timer.test.ts': `await new Promise((resolve) => setTimeout(resolve, 50));`,
  'packages/core/test/promise.test.ts': `import { setTimeout as wait } from 'node:timers/promises';`,
  'packages/core/test/own.test.ts': `await sleep(50);`,
  'packages/core/test/global.test.ts': `globalThis.setInterval(look, 5);`,
});

rule('no file is a drawer: utils, helpers, common, types, misc', noDrawers, {
  'packages/core/src/utils.ts': '',
  'packages/outbound/src/types/address.ts': '',
  'test/helpers.test.ts': '',
});

rule('tests lie as their sources do', mirrored, {
  'packages/core/test/retry-policy.test.ts': '',
  'packages/core/test/storage/worker.test.ts': '',
  'packages/core/test/delivery/promises.test.ts': '',
});

rule('no file holds a folder of this machine or a package registry', noPlaces, {
  'docs/operations.md': `Look into ${posix.join('/', 'home', 'ada', 'posthorn')}.`,
  'scripts/old.mjs': `const here = '${posix.join('/', 'work', 'posthorn')}';`,
  'docs/windows.md': ['C:', 'Users', 'ada'].join('\\'),
  'pnpm-lock.yaml': `tarball: https://${['registry', 'example', 'org'].join('.')}/zod.tgz`,
});
