// Takes one picture of a page for README.md: `picture.mjs URL FILE`. `cargo xtask pictures` sets CHROMIUM and LIBRARIES.
import { createRequire } from 'node:module';

const [url, file] = process.argv.slice(2);
const { CHROMIUM, LIBRARIES } = process.env;
const browser = await createRequire(`${LIBRARIES}/`)('playwright-core').chromium.launch({
  executablePath: CHROMIUM,
  // Chromium's sandbox does not work for root. Running without the sandbox is safe: Chromium loads only pages of the local stack.
  args: [...(process.getuid() === 0 ? ['--no-sandbox'] : []), '--disable-quic', '--no-first-run'],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' });
await page.goto(url, { waitUntil: 'networkidle' });
await page.evaluate(() => document.fonts.ready);
await page.screenshot({ path: file });
await browser.close();
