import { readFileSync } from 'node:fs';
import { defineConfig } from 'tsup';

/** tsup runs in the folder of a package. The exports of its package.json are the entries to build. */
const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, Record<string, string>>;
};

/** Every package builds the same way: ESM and its types. CommonJS loads ESM with `require` in Node 20.19 or later. */
const config: ReturnType<typeof defineConfig> = defineConfig({
  entry: Object.values(exports).map((paths) => paths['@posthorn/source'] ?? ''),
  format: 'esm',
  target: 'node20',
  // Only types are used, so they are inlined, and users of a package need not install it.
  dts: { resolve: ['@standard-schema/spec'] },
  clean: true,
  sourcemap: true,
});

export default config;
