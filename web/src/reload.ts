// Development only: reloads the page when the replica has restarted. A page requests this with an attribute that only replicas with
// RELOAD_PAGES render (`cargo xtask dev`), so no page of production loads this file.

const INTERVAL = 500; // milliseconds
const TOLERANCE = 2; // seconds; the uptime is in whole seconds

/** The start of the replica's process in seconds since 1970; undefined while no replica answers. */
async function start(): Promise<number | undefined> {
  try {
    const response = await fetch('/health', { cache: 'no-store' });
    const { uptime } = (await response.json()) as { uptime: number };
    return Date.now() / 1000 - uptime;
  } catch {
    return undefined; // The replica restarts.
  }
}

/** Reloads the page as soon as another process of the replica answers. */
export function startReload(): void {
  let first: number | undefined;
  async function check(): Promise<void> {
    const current = await start();
    first ??= current;
    if (first !== undefined && current !== undefined && current - first > TOLERANCE) {
      location.reload();
    } else {
      setTimeout(() => void check(), INTERVAL);
    }
  }
  void check();
}
