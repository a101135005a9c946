// Compares the visits that browsers make with the metrics of the replicas. There must be no other visitors during the test.
import assert from 'node:assert/strict';

import { until } from '../bench.mjs';
import { action, logIn, submit } from '../forms.mjs';
import { scrape } from '../metrics.mjs';
import { call, freshEmail, runEnvironment, signIn } from '../people.mjs';

/** Makes a page send its queued events. */
const flush = (page) => page.evaluate(() => dispatchEvent(new CustomEvent('vitrine:flush')));

/** Waits until a metric has grown by at least this much, and asserts that it has not grown by more. */
async function growsBy(bench, before, wanted, name, labels) {
  const what = `${name} ${JSON.stringify(labels)}`;
  const grown = await growsAtLeastBy(bench, before, wanted, name, labels);
  assert.equal(grown, wanted, what);
}

/** Waits until a metric has grown by at least this much; returns the growth. */
async function growsAtLeastBy(bench, before, wanted, name, labels) {
  let grown;
  await until(`${name} ${JSON.stringify(labels)} grows by at least ${wanted}`, async () => {
    grown = (await scrape(bench.replicas)).of(name, labels) - before.of(name, labels);
    return { done: grown >= wanted, seen: grown };
  });
  return grown;
}

export const visits = {
  'visits: every page view is counted once, under its route': async (bench) => {
    const visitor = await bench.visitor();
    const { page } = visitor;
    await signIn(visitor);
    const { id } = await call(visitor, 'POST', '/api/projects', { name: 'Counted' });
    const { slug } = await call(visitor, 'POST', `/api/projects/${id}/publish`, {});
    const environment = await runEnvironment(visitor, id);
    const stranger = await bench.visitor();
    const before = await scrape(bench.replicas);

    const walk = [
      [page, '/', '/'],
      [page, '/about', '/about'],
      [page, '/projects', '/projects'],
      [page, `/projects/${slug}`, '/projects/{slug}'],
      [page, '/about', '/about'],
      [page, '/studio', '/studio'],
      [page, `/studio/projects/${id}`, '/studio/projects/{id}'],
      [page, `/studio/environments/${environment}`, '/studio/environments/{id}'],
      [page, '/studio/posts', '/studio/posts'],
      [page, '/studio/accounts', '/studio/accounts'],
      [stranger.page, '/login', '/login'],
      [page, '/', '/'],
    ];
    const expected = {};
    for (const [visited, path, route] of walk) {
      await visited.goto(path);
      assert.equal(await visited.locator('body').getAttribute('data-route'), route, path);
      expected[route] = (expected[route] ?? 0) + 1;
    }
    await Promise.all([flush(page), flush(stranger.page)]);

    for (const [route, times] of Object.entries(expected)) await growsBy(bench, before, times, 'page_views_total', { route });
    await growsBy(bench, before, walk.length, 'page_views_total', {});
    return `${walk.length} visits of ${Object.keys(expected).length} routes`;
  },

  'visits: load times and input delays are measured': async (bench) => {
    const { page } = await bench.visitor();
    const before = await scrape(bench.replicas);
    // The measuring code is loaded last, so wait until the network is idle.
    await page.goto('/', { waitUntil: 'networkidle' });
    // Only slow interactions are reported, so make this click slow. The browser knows the click's duration only after the next paint,
    // and the measuring code reads the duration when the page is idle.
    await page.evaluate(() => {
      addEventListener('click', () => {
        for (const end = performance.now() + 150; performance.now() < end; );
      });
      window.painted = new Promise((resolve) => {
        const observer = new PerformanceObserver((list) => {
          if (list.getEntries().some((entry) => entry.name === 'click')) requestIdleCallback(() => requestIdleCallback(resolve));
        });
        observer.observe({ type: 'event', durationThreshold: 40 });
      });
    });
    await page.getByRole('heading', { level: 1 }).click();
    await page.evaluate(() => window.painted);
    // INP and CLS are final only when the visitor leaves the page.
    await page.goto('/about');
    await flush(page);
    for (const vital of ['ttfb', 'fcp', 'lcp', 'inp']) {
      await growsAtLeastBy(bench, before, 1, 'web_vitals_seconds_count', { route: '/', vital });
    }
    await growsAtLeastBy(bench, before, 1, 'web_vitals_cls_count', { route: '/' });
    for (const type of ['script', 'style']) await growsAtLeastBy(bench, before, 1, 'static_asset_load_seconds_count', { type });
  },

  'visits: API calls are counted with their outcome': async (bench) => {
    // The browser logs the rejected and the aborted call as errors.
    const visitor = await bench.visitor({ forgives: [/status of 401/, /ERR_FAILED/] });
    const { page, context } = visitor;
    const before = await scrape(bench.replicas);
    await page.goto('/login');
    const form = await logIn(page, freshEmail());
    await form.locator('[data-problem]').filter({ visible: true }).waitFor();
    await flush(page);
    await growsBy(bench, before, 1, 'api_calls_total', { endpoint: '/api/auth/login', status: '4xx' });

    await signIn(visitor);
    await page.goto('/studio');
    const create = action(page, 'POST', '/api/projects');
    await create.locator('[name=name]').fill('Called');
    await context.route('**/api/projects', (route) => route.abort());
    await submit(create);
    await create.locator('[data-problem]').filter({ visible: true }).waitFor();
    await context.unroute('**/api/projects');
    await submit(create);
    await page.waitForURL(/\/studio\/projects\//);
    await flush(page);
    await growsBy(bench, before, 1, 'api_calls_total', { endpoint: '/api/projects', status: 'failed' });
    await growsBy(bench, before, 1, 'api_calls_total', { endpoint: '/api/projects', status: '2xx' });
  },

  'visits: errors in a page are counted': async (bench) => {
    const broken = [/provoked/, /status of 404/, /^policy: style-src/, /inline style/, /ERR_FAILED/, /dynamically imported/];
    const visitor = await bench.visitor({ forgives: broken });
    const { page, context } = visitor;
    const before = await scrape(bench.replicas);
    await page.goto('/about');
    await page.evaluate(
      () =>
        new Promise((resolve) => {
          setTimeout(() => {
            throw new Error('provoked');
          });
          Promise.reject(new Error('provoked'));
          document.body.setAttribute('style', 'color: red');
          const image = Object.assign(new Image(), { src: '/assets/provoked.png' });
          // The image's error is the last of the four.
          image.addEventListener('error', () => setTimeout(resolve));
          document.body.append(image);
        }),
    );
    await flush(page);
    for (const type of ['error', 'unhandled_rejection', 'resource', 'csp_violation']) {
      await growsBy(bench, before, 1, 'client_errors_total', { type });
    }

    await signIn(visitor);
    await context.route('**/assets/live-*.js', (route) => route.abort());
    await page.goto('/studio');
    await page.getByText('This part failed to start').first().waitFor();
    await flush(page);
    await growsBy(bench, before, 1, 'error_boundaries_total', { route: '/studio' });
    // The rest of the page keeps working.
    const create = action(page, 'POST', '/api/projects');
    await create.locator('[name=name]').fill('It still works');
    await submit(create);
    await page.waitForURL(/\/studio\/projects\//);
  },
};
