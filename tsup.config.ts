import { defineConfig } from 'tsup';

/** Every package builds the same way: ESM and its types. CommonJS loads it with `require`, Node 20.19 and later. */
const config: ReturnType<typeof defineConfig> = defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'node20',
  dts: true,
  clean: true,
  sourcemap: true,
});

export default config;
