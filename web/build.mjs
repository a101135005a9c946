// Builds web/dist, which the service embeds and serves at /assets/. File names contain a content hash, and each file has compressed copies
// next to it. Only manifest.json has neither: it maps names without a hash, such as `app.js`, to file names. The build is reproducible.

import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const here = fileURLToPath(new URL('.', import.meta.url));
const source = join(here, 'src');
const dist = join(here, 'dist');
const address = '/assets/';

const { build } = await import('esbuild').catch(() => {
  console.error('web/node_modules is missing: run `cargo xtask web --install`, or `npm ci` in web/.');
  process.exit(1);
});

/** Bundles entries of src/ and returns the output file of each. Dynamically imported modules count as entries. */
async function bundle(entries, options = {}) {
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: entries.map((entry) => join(source, entry)),
    outdir: dist,
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    publicPath: address,
    bundle: true,
    minify: true,
    format: 'esm',
    target: ['es2022', 'chrome111', 'firefox113', 'safari16.4'],
    metafile: true,
    logLevel: 'warning',
    ...options,
  });
  const made = Object.entries(metafile.outputs).filter(([, output]) => output.entryPoint?.startsWith('src/'));
  return Object.fromEntries(made.map(([file, { entryPoint }]) => [stem(entryPoint) + extname(file), basename(file)]));
}

/** Copies a file of src/ to a name with a content hash. */
async function copy(file) {
  const bytes = await readFile(join(source, file));
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 8).toUpperCase();
  const name = `${stem(file)}-${hash}${extname(file)}`;
  await writeFile(join(dist, name), bytes);
  return { [file]: name };
}

/** Writes compressed copies, at the highest level because this happens once per build. */
async function compress(file) {
  const bytes = await readFile(join(dist, file));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  await writeFile(join(dist, `${file}.br`), await promisify(brotliCompress)(bytes, { params }));
  await writeFile(join(dist, `${file}.gz`), await promisify(gzip)(bytes, { level: 9 }));
}

function stem(file) {
  return basename(file, extname(file));
}

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });

const styles = await bundle(['app.css', 'terminal.css']);
const define = { TERMINAL_CSS: JSON.stringify(address + styles['terminal.css']) };
const scripts = await bundle(['app.ts'], { splitting: true, define });
const manifest = { ...scripts, ...styles, ...(await copy('favicon.svg')) };

await Promise.all((await readdir(dist)).map(compress));
const sorted = Object.fromEntries(Object.entries(manifest).sort(([one], [other]) => (one < other ? -1 : 1)));
await writeFile(join(dist, 'manifest.json'), `${JSON.stringify(sorted, null, 2)}\n`);
