// Takes one picture of a page for README.md: `picture.mjs URL FILE`. `cargo xtask pictures` sets CHROMIUM and LIBRARIES.
import { launch } from './bench.mjs';

const [url, file] = process.argv.slice(2);
const browser = await launch(process.env);
const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' });
await page.goto(url, { waitUntil: 'networkidle' });
await page.evaluate(() => document.fonts.ready);
await page.screenshot({ path: file });
await browser.close();
