// Takes the README's pictures of what examples/notify-team sends, light and dark: `node scripts/screenshots.mjs`.
// Needs Chromium (`chromium` in the PATH, or CHROMIUM) and the fonts of the pages: Lato and Roboto.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { root } from './install.mjs';
import { node } from './spawn.mjs';

const width = 720;
const images = join(root, 'docs/images');
const sources = join(images, 'sources');
const schemes = { dark: 0, light: 1 };

const program = ['--conditions=@posthorn/source', '--import', 'tsx', 'examples/notify-team/src/main.ts'];
const { code, output } = await node([...program, '--previews', sources]);
if (code !== 0) throw new Error(output);

for (const name of ['email', 'slack']) {
  const page = join(sources, `${name}.html`);
  const height = await heightOf(page);
  for (const [scheme, number] of Object.entries(schemes)) {
    await chromium(page, [
      `--window-size=${width},${height}`,
      '--force-device-scale-factor=2',
      `--blink-settings=preferredColorScheme=${number}`,
      `--screenshot=${join(images, `${name}-${scheme}.png`)}`,
    ]);
  }
}

/** The height of the page at this width, measured by a script in a copy of the page. */
async function heightOf(page) {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-screenshots-'));
  try {
    const copy = join(folder, 'page.html');
    const html = await readFile(page, 'utf8');
    const measure = '<script>document.title = document.body.firstElementChild.scrollHeight</script>';
    await writeFile(copy, html.replace('</body>', `${measure}</body>`));
    const dumped = await chromium(copy, [`--window-size=${width},100`, '--dump-dom']);
    const [, height] = /<title>(\d+)<\/title>/.exec(dumped) ?? [];
    if (height === undefined) throw new Error(`the height of ${page} is not known`);
    return height;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function chromium(page, args) {
  const quiet = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars'];
  const { stdout } = await promisify(execFile)(process.env.CHROMIUM ?? 'chromium', [
    ...quiet,
    ...args,
    pathToFileURL(page).href,
  ]);
  return stdout;
}
