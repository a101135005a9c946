// A browser and its visitors. A story fails if an error occurs on a visitor's page, unless the story provokes the error.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const LIMIT = 20_000;

/** Starts the browser at the path CHROMIUM, with Playwright from the folder LIBRARIES. */
export function launch({ CHROMIUM, LIBRARIES }) {
  return createRequire(`${LIBRARIES}/`)('playwright-core').chromium.launch({
    executablePath: CHROMIUM,
    // Chromium's sandbox does not work for root. Running without the sandbox is safe: Chromium loads only pages of the local stack.
    args: [...(process.getuid() === 0 ? ['--no-sandbox'] : []), '--disable-quic', '--no-first-run'],
  });
}

export class Bench {
  #visitors = [];

  /** Starts the browser. */
  static async open(environment) {
    const { EDGE, SIMULATOR, MAILS, REPLICAS, ADMIN, LIBRARIES, SCREENSHOTS } = environment;
    const bench = new Bench();
    bench.edge = EDGE;
    bench.simulator = SIMULATOR;
    bench.mails = MAILS;
    bench.replicas = REPLICAS.split(' ');
    bench.admin = ADMIN;
    bench.folder = SCREENSHOTS;
    bench.axe = createRequire(`${LIBRARIES}/`)('axe-core').source;
    bench.browser = await launch(environment);
    return bench;
  }

  /** A visitor with a separate browser context. `forgives` has patterns of the errors that the story provokes. */
  async visitor({ forgives = [], ...options } = {}) {
    const context = await this.browser.newContext({ baseURL: this.edge, ...options });
    context.setDefaultTimeout(LIMIT);
    const visitor = { context, complaints: [], forgives };
    this.#visitors.push(visitor);
    this.#listen(visitor, options.javaScriptEnabled !== false);
    await visitor.listening;
    visitor.page = await context.newPage();
    return visitor;
  }

  #listen(visitor, scripted) {
    const { context, complaints } = visitor;
    const complain = (what) => complaints.push(what);
    context.on('console', (message) => message.type() === 'error' && complain(`console: ${message.text()} (${message.location().url})`));
    context.on('weberror', (error) => complain(`error: ${error.error()}`));
    context.on('response', (answer) => answer.status() >= 500 && complain(`${answer.status()} from ${answer.url()}`));
    context.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      const ours = origin === this.edge || protocol === 'data:';
      // Our pages may navigate to a platform's pages, but only the platform's own pages may load resources from the platform.
      const platform = origin === this.simulator && (request.isNavigationRequest() || request.frame().url().startsWith(origin));
      if (!ours && !platform) complain(`request to ${request.url()}`);
    });
    if (!scripted) return;
    const refused = ({ page }, what) => complain(`policy: ${what} (${page.url()})`);
    visitor.listening = context
      .exposeBinding('complain', refused)
      .then(() =>
        context.addInitScript(() =>
          addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => globalThis.complain(`${violatedDirective} ${blockedURI}`)),
        ),
      );
  }

  /** Runs a story; returns its note or its error. */
  async run(story) {
    try {
      const note = await story(this);
      for (const { complaints, forgives } of this.#visitors) {
        assert.deepEqual(complaints.filter((what) => !forgives.some((forgiven) => forgiven.test(what))), []);
      }
      return { note };
    } catch (error) {
      return { error };
    }
  }

  /** Saves a screenshot of the last visitor's newest page. Returns the screenshot's path, or `undefined` on failure. */
  async picture(path) {
    const pages = this.#visitors.flatMap(({ context }) => context.pages());
    const page = pages.at(-1);
    return page?.screenshot({ path, fullPage: true }).then(() => path, () => undefined);
  }

  /** Closes all visitors' contexts. */
  async leave() {
    await Promise.all(this.#visitors.map(({ context }) => context.close()));
    this.#visitors = [];
  }

  close() {
    return this.browser.close();
  }
}

/** Calls `ask` until it returns a true `done`. After `limit` milliseconds, throws an error with the last value of `seen`. */
export async function until(what, ask, limit = LIMIT) {
  const deadline = performance.now() + limit;
  for (;;) {
    const { done, seen } = await ask();
    if (done) return;
    assert.ok(performance.now() < deadline, `${what}: timed out after ${limit / 1000} s; last observed: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
