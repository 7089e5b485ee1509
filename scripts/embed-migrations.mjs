// Writes packages/storage-postgres/src/schema/migrations.ts from the numbered SQL files: so they are part of the built
// package, wherever a bundler puts it. `--check` only says whether it is as it should be.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './install.mjs';

const folder = join(root, 'packages/storage-postgres/migrations');
const target = join(root, 'packages/storage-postgres/src/schema/migrations.ts');

const migrations = readdirSync(folder)
  .filter((file) => file.endsWith('.sql'))
  .sort()
  .map((file) => {
    const [, number, name] = /^(\d{4})_([a-z_]+)\.sql$/.exec(file);
    return { number: Number(number), name, text: readFileSync(join(folder, file), 'utf8') };
  });

const source = `// Made by scripts/embed-migrations.mjs from the SQL files: edit those, never this, and never one that was published.

export interface Migration {
  readonly number: number;
  readonly name: string;
  /** Its SQL; \`:"schema"\` stands for the schema, as psql has it. */
  readonly text: string;
}

export const migrations: readonly Migration[] = [
${migrations
  .map(
    ({ number, name, text }) => `  {
    number: ${number},
    name: '${name}',
    text: String.raw\`${text.replaceAll('`', '\\`')}\`,
  },
`,
  )
  .join('')}];
`;

if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== source) {
    console.error('src/schema/migrations.ts does not match the SQL files: run scripts/embed-migrations.mjs');
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, source);
}
