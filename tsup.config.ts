import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { defineConfig, type Options } from 'tsup';

/** tsup runs in the folder of a package. The exports of its package.json are the entries to build. */
const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, Record<string, string>>;
};

/** Dependencies that cannot be required, except by a recent Node. The CommonJS build contains them. */
const esmOnly = /^(?:p-retry|hast-util-(?:from-html|sanitize|to-html))$/;

const esmOnlyDependencies: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'esm-only-dependencies',
  setup({ initialOptions, onResolve, onEnd }) {
    if (initialOptions.format === 'esm') onResolve({ filter: esmOnly }, () => ({ external: true }));
    else onEnd(({ metafile }) => writeNotices(Object.keys(metafile?.inputs ?? {}), initialOptions.outdir!));
  },
};

/** Writes the licences of the packages that the CommonJS build contains: each asks for it in every copy. */
function writeNotices(inputs: readonly string[], outdir: string): void {
  const folders = new Set(inputs.flatMap((path) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []));
  if (folders.size === 0) return;
  const licenses = [...folders].sort().map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} has no licence file, so it cannot be bundled`);
    return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
  mkdirSync(outdir, { recursive: true });
  writeFileSync(resolve(outdir, 'THIRD-PARTY-NOTICES.txt'), licenses.join(`\n${'-'.repeat(80)}\n\n`));
}

/** Every package builds the same way: ESM and CommonJS, each with its types. */
const config: ReturnType<typeof defineConfig> = defineConfig({
  entry: Object.values(exports).map((paths) => paths['@posthorn/source'] ?? ''),
  format: ['esm', 'cjs'],
  target: 'node20',
  noExternal: [esmOnly],
  esbuildPlugins: [esmOnlyDependencies],
  // Only types are used, so they are inlined, and users of a package need not install it.
  dts: { resolve: ['@standard-schema/spec'] },
  // Mocks and bundlers know the modules of Node by their prefix.
  removeNodeProtocol: false,
  clean: true,
  sourcemap: true,
});

export default config;
