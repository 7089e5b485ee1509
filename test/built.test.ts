import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Manifest, repository, root } from './files.js';

const run = promisify(execFile);

const packages = repository()
  .filter(({ path }) => /^packages\/[^/]+\/package\.json$/.test(path))
  .map(({ path, text }) => ({ folder: join(root, dirname(path)), manifest: JSON.parse(text) as Manifest }));

let home: string;

/** Builds a package into the folder of an application that has only this package and its dependencies. */
async function installBuilt({ folder, manifest }: (typeof packages)[number]): Promise<void> {
  const { name, dependencies, peerDependencies, publishConfig } = manifest;
  const target = join(home, 'node_modules', name);
  await mkdir(target, { recursive: true });
  await writeFile(join(target, 'package.json'), JSON.stringify({ ...manifest, ...publishConfig }));
  // The types take most of the time of a build, and `npm run check` tests them on the packed package.
  const args = ['--config', join(root, 'tsup.config.ts'), '--no-dts', '--out-dir', join(target, 'dist')];
  await run(process.execPath, [join(root, 'node_modules/tsup/dist/cli-default.js'), ...args], {
    cwd: folder,
  });

  for (const dependency of Object.keys({ ...dependencies, ...peerDependencies })) {
    if (packages.some((ours) => ours.manifest.name === dependency)) continue;
    const link = join(target, 'node_modules', dependency);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(folder, 'node_modules', dependency), link, 'junction');
  }
}

/**
 * Runs a program in the application's folder and parses its output as JSON. NODE_PATH would expose the repository's
 * modules.
 */
async function print(type: 'commonjs' | 'module', program: string): Promise<unknown> {
  const options = { cwd: home, env: { ...process.env, NODE_PATH: '', NODE_OPTIONS: '' } };
  // Jest cannot require ESM, and neither can Node with this flag: what is required must be CommonJS throughout.
  const flags = ['--no-experimental-require-module', `--input-type=${type}`];
  const { stdout } = await run(process.execPath, [...flags, '-e', program], options);
  return JSON.parse(stdout);
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'posthorn built '));
  const builds = await Promise.allSettled(packages.map(installBuilt));
  const failure = builds.find((build) => build.status === 'rejected');
  if (failure) throw failure.reason;
}, 60_000);

afterAll(() => rm(home, { recursive: true, force: true }));

for (const { folder, manifest } of packages) {
  const { name } = manifest;

  test(`${name}, built and installed alone, loads as ESM by import and as CommonJS by require, and exports every name of its source`, async () => {
    const names = Object.keys(await import(pathToFileURL(join(folder, 'src/index.ts')).href)).sort();
    const load = `const names = (m) => console.log(JSON.stringify(Object.keys(m).sort()));`;
    expect(await print('module', `${load} names(await import('${name}'));`)).toEqual(names);
    expect(await print('commonjs', `${load} names(require('${name}'));`)).toEqual(names);
  });
}

test.each([
  ['ESM', 'CommonJS'],
  ['CommonJS', 'ESM'],
])('a dispatcher of the %s build delivers by a storage and a channel of the %s build', async (one, other) => {
  const program = `
    import { createServer } from 'node:http';
    import { createRequire } from 'node:module';
    const load = { ESM: (name) => import(name), CommonJS: createRequire(process.cwd() + '/program.js') };
    const { createDispatcher, PosthornError } = await load['${one}']('@posthorn/core');
    const { PosthornError: Other } = await load['${other}']('@posthorn/core');
    const { memoryStorage } = await load['${other}']('@posthorn/storage-memory');
    const { httpChannel } = await load['${other}']('@posthorn/channel-http');

    const seen = [];
    const receiver = createServer((request, response) => {
      seen.push(request.headers['webhook-signature'].slice(0, 3));
      response.end();
    });
    await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const policy = { allowHttp: true, allowHosts: ['127.0.0.1'] };
    const channel = httpChannel({ outbound: { policy } });
    const posthorn = createDispatcher({ storage: memoryStorage(), channels: [channel] });
    const create = (url) =>
      posthorn.webhooks.create({
        name: 'all',
        eventTypes: ['*'],
        channels: [{ channel: 'webhook', configs: { url } }],
      });
    await create('http://127.0.0.1:' + receiver.address().port);
    await posthorn.dispatch('order.placed', { orderId: 'o1' });
    await posthorn.drain();
    const [{ status }] = (await posthorn.deliveries.list()).items;
    receiver.close();

    const errors = [() => create('ftp://a.example'), () => memoryStorage({ maxBytes: -1 })].map(
      async (fails) => {
        const error = await (async () => fails())().catch((error) => error);
        return [error.code, error instanceof PosthornError, error instanceof Other];
      },
    );
    const areTwo = PosthornError !== Other;
    console.log(JSON.stringify({ areTwo, status, seen, errors: await Promise.all(errors) }));`;
  expect(await print('module', program)).toEqual({
    areTwo: true,
    status: 'delivered',
    seen: ['v1,'],
    errors: [
      ['invalid_webhook', true, true],
      ['invalid_option', true, true],
    ],
  });
});

test('a package that is not installed does not load in that folder', async () => {
  await expect(print('commonjs', `require('vitest')`)).rejects.toThrow(/Cannot find module 'vitest'/);
  await expect(print('commonjs', `require('zod')`)).rejects.toThrow(/Cannot find module 'zod'/);
});
