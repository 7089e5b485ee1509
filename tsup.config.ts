import { readFileSync } from 'node:fs';
import { defineConfig } from 'tsup';

/** Run in a package's folder: its exports say what is to be built. */
const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, Record<string, string>>;
};

/** Every package builds the same way: ESM and its types. CommonJS loads it with `require`, Node 20.19 and later. */
const config: ReturnType<typeof defineConfig> = defineConfig({
  entry: Object.values(exports).map((paths) => paths['@posthorn/source'] ?? ''),
  format: 'esm',
  target: 'node20',
  // Types only: whoever uses the package need not have it.
  dts: { resolve: ['@standard-schema/spec'] },
  clean: true,
  sourcemap: true,
});

export default config;
