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

const smallFiles: Rule = (files) =>
  files
    .filter(({ path }) => path.startsWith('packages/core/src/'))
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > 250)
    .map(({ path, lines }) => `${path}: has ${lines} lines`);

const noDrawers: Rule = (files) =>
  files
    .filter(({ path }) => path.split('/').some((part) => drawers.test(part.split('.')[0]!)))
    .map(({ path }) => `${path}: name it after what is in it`);

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

rule('no file of core has more than 250 lines', smallFiles, {
  'packages/core/src/house.ts': 'export {};\n'.repeat(251),
});

rule('no file is a drawer: utils, helpers, common, types, misc', noDrawers, {
  'packages/core/src/utils.ts': '',
  'packages/outbound/src/types/address.ts': '',
  'test/helpers.test.ts': '',
});

rule('no file holds a folder of this machine or a package registry', noPlaces, {
  'docs/operations.md': `Look into ${posix.join('/', 'home', 'ada', 'posthorn')}.`,
  'scripts/old.mjs': `const here = '${posix.join('/', 'work', 'posthorn')}';`,
  'docs/windows.md': ['C:', 'Users', 'ada'].join('\\'),
  'pnpm-lock.yaml': `tarball: https://${['registry', 'example', 'org'].join('.')}/zod.tgz`,
});
