// The size and paint time of the home page on a first visit, and the caching of its assets on a second visit.
import assert from 'node:assert/strict';

const MOST_BYTES = 60_000;
const LATEST_PAINT_MS = 1000;
/** Number of visitors. The story uses the shortest of the visitors' paint times, because other load on the machine only adds time. */
const VISITORS = 3;

/** The transfers of the page and its files so far, without API calls. `transferSize` includes headers; it is 0 for cached files. */
const transfers = (page) =>
  page.evaluate(() => {
    const [document] = performance.getEntriesByType('navigation');
    const calls = ['fetch', 'beacon', 'xmlhttprequest'];
    const files = performance.getEntriesByType('resource').filter(({ initiatorType }) => !calls.includes(initiatorType));
    return [document, ...files].map(({ name, transferSize, decodedBodySize }) => ({ name, transferSize, decodedBodySize }));
  });

const largestPaint = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        new PerformanceObserver((list) => resolve(list.getEntries().at(-1).startTime)).observe({ type: 'largest-contentful-paint', buffered: true });
      }),
  );

export const speed = {
  'speed: the home page is small and paints quickly': async (bench) => {
    const [paints, sizes] = [[], []];
    for (let visit = 0; visit < VISITORS; visit += 1) {
      const { page } = await bench.visitor();
      await page.goto('/');
      paints.push(await largestPaint(page));
      sizes.push((await transfers(page)).reduce((sum, { transferSize }) => sum + transferSize, 0));
    }
    const [bytes, paint] = [Math.max(...sizes), Math.min(...paints)];
    assert.ok(bytes < MOST_BYTES, `${bytes} bytes`);
    assert.ok(paint < LATEST_PAINT_MS, `largest contentful paint after ${paint} ms`);
    return `${bytes} bytes, largest contentful paint after ${paint.toFixed(0)} ms`;
  },

  'speed: assets are compressed and cached': async (bench) => {
    const { page, context } = await bench.visitor();
    await page.goto('/');
    const isAsset = ({ name }) => new URL(name).pathname.startsWith('/assets/');
    const first = (await transfers(page)).filter(isAsset);
    assert.ok(first.length >= 2, `the page must load at least two assets: ${JSON.stringify(first)}`);
    const text = first.filter(({ name }) => /\.(js|css)$/.test(name));
    for (const { name } of text) {
      const headers = (await context.request.get(name, { headers: { 'accept-encoding': 'br, gzip' } })).headers();
      assert.equal(headers['content-encoding'], 'br', name);
      assert.match(headers['cache-control'], /max-age=31536000.*immutable/, name);
    }
    const again = await context.newPage();
    await again.goto('/');
    const second = (await transfers(again)).filter(isAsset);
    assert.deepEqual(second.filter(({ name, transferSize }) => text.some((file) => file.name === name) && transferSize > 0), []);
    return `${text.length} files, none requested again`;
  },
};
