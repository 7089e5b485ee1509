import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { withAbsoluteLinks, withRepository } from '../scripts/published.mjs';
import { type File, type Manifest, repository } from './files.js';
import { type Rule, rule } from './rule.js';

type Entry = { readonly '@posthorn/source': string };
const isManifest = ({ path }: File): boolean => /^packages\/[^/]+\/package\.json$/.test(path);
const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/** The fields of what is packed follow from the source of each entry. */
function publishConfigOf(exports: Readonly<Record<string, Entry>>): Record<string, unknown> {
  const entries = Object.entries(exports).map(([name, { '@posthorn/source': source }]) => {
    const built = source.replace('./src/', './dist/').replace(/\.ts$/, '');
    const conditions = {
      import: { types: `${built}.d.ts`, default: `${built}.js` },
      require: { types: `${built}.d.cts`, default: `${built}.cjs` },
    };
    return [name, conditions] as const;
  });
  const others = entries.filter(([name]) => name !== '.');
  const typesVersions = Object.fromEntries(
    others.map(([name, { require }]) => [posix.normalize(name), [require.types]]),
  );
  return {
    access: 'public',
    main: './dist/index.cjs',
    types: './dist/index.d.cts',
    ...(others.length > 0 && { typesVersions: { '*': typesVersions } }),
    exports: Object.fromEntries(entries),
  };
}

const described: Rule = (files) =>
  files.filter(isManifest).flatMap(({ path, text }) => {
    const manifest = JSON.parse(text) as Manifest & Record<string, unknown>;
    const wanted = publishConfigOf(manifest.exports as Readonly<Record<string, Entry>>);
    const readme = files.find((file) => file.path === path.replace('package.json', 'README.md'));
    const own = ['repository', 'homepage', 'bugs'].filter((field) => field in manifest);
    return [
      ...(Array.isArray(manifest['keywords']) ? [] : [`${path}: has no keywords`]),
      ...('sideEffects' in manifest ? [] : [`${path}: does not say whether it has side effects`]),
      ...own.map((field) => `${path}: has ${field}, which packing derives from config.repository`),
      ...(same(manifest.publishConfig, wanted) ? [] : [`${path}: publishConfig must be as its exports`]),
      ...(readme?.text.includes(`npm install`) ? [] : [`${path}: its README has no install line`]),
    ];
  });

const core = repository().find(({ path }) => path === 'packages/core/package.json')!.text;
rule('a package says what it publishes, and how to install it', described, {
  'packages/core/package.json': core.replace('"keywords"', '"words"'),
  'packages/api/package.json': core.replace('"license"', '"homepage"'),
  'packages/testing/package.json': core.replaceAll('index.d.cts', 'index.d.ts'),
  'packages/new/package.json': core,
});

const address = 'https://git.example/posthorn';

test('a packed README links into the repository, and leaves other links alone', () => {
  const readme = '[a](../../docs/api.md#calls) [b](src/ports.ts) [c](https://a.example) [d](#configs)';
  expect(withAbsoluteLinks(readme, 'packages/api', address)).toBe(
    `[a](${address}/blob/HEAD/docs/api.md#calls) [b](${address}/blob/HEAD/packages/api/src/ports.ts) [c](https://a.example) [d](#configs)`,
  );
});

test('a packed package.json names the repository, the folder in it, and where to report bugs', () => {
  expect(withRepository({ name: '@posthorn/api' }, 'packages/api', address)).toEqual({
    name: '@posthorn/api',
    repository: { type: 'git', url: `git+${address}.git`, directory: 'packages/api' },
    homepage: `${address}/blob/HEAD/packages/api/README.md`,
    bugs: `${address}/issues`,
  });
});
