import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { root } from './install.mjs';

/*
 * What a published package says about where its source is. All of it comes from one address, `config.repository` in the
 * package.json of the root, such as `https://github.com/<owner>/<name>`.
 */

/** The address of the repository without a slash at the end. Undefined while its owner has not set it. */
export function repositoryAddress() {
  const { config } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return config.repository.replace(/\/+$/, '') || undefined;
}

/** The package.json of the package in the folder `source`, with its repository, homepage and bugs. */
export function withRepository(manifest, source, repository) {
  return {
    ...manifest,
    repository: { type: 'git', url: `git+${repository}.git`, directory: source },
    homepage: `${repository}/blob/HEAD/${source}/README.md`,
    bugs: `${repository}/issues`,
  };
}

/** The README of the package in the folder `source`, with links that also work outside of the repository. */
export const withAbsoluteLinks = (text, source, repository) =>
  text.replace(
    /\]\((?![a-z]+:|#)([^)\s]+)\)/g,
    (_, path) => `](${repository}/blob/HEAD/${posix.join(source, path)})`,
  );
