// Builds every package into its dist/.
import { join } from 'node:path';
import { packageFolders, root, tool } from './install.mjs';
import { nodes } from './spawn.mjs';

const folders = packageFolders();
const args = [tool('tsup'), '--config', join(root, 'tsup.config.ts')];
const results = await nodes(folders.map((folder) => [args, { cwd: join(root, folder) }]));

for (const [at, { code, output }] of results.entries()) {
  console.log(code === 0 ? `built ${folders[at]}` : `NOT built: ${folders[at]}\n${output}`);
  if (code !== 0) process.exitCode = 1;
}
