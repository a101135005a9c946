// Events on their way to `POST /api/rum`, in batches that outlive the page.

/** What a page tells of itself. */
export type Event =
  | { readonly kind: 'page_view'; readonly route: string }
  | { readonly kind: 'web_vital'; readonly route: string; readonly vital: Vital; readonly value: number }
  | { readonly kind: 'api_call'; readonly endpoint: string; readonly status: number }
  | { readonly kind: 'asset'; readonly type: AssetType; readonly value: number }
  | { readonly kind: 'client_error'; readonly type: ErrorType }
  | { readonly kind: 'error_boundary'; readonly route: string };

export type Vital = 'lcp' | 'inp' | 'fcp' | 'ttfb' | 'cls';
export type AssetType = 'script' | 'style' | 'font' | 'image';
export type ErrorType = 'error' | 'unhandled_rejection' | 'resource' | 'csp_violation';

const ADDRESS = '/api/rum';
const ROUND = 10_000;
/** How many events make a batch worth sending; the service takes 50 at once. */
const ENOUGH = 20;

const waiting: Event[] = [];

/** Takes an event. A page that is hidden may be gone at any moment, so nothing waits there. */
export function report(event: Event): void {
  waiting.push(event);
  if (waiting.length >= ENOUGH || document.visibilityState === 'hidden') {
    flush();
  }
}

/** Sends what waits, now and on every occasion from now on. */
export function startQueue(): void {
  setInterval(flush, ROUND);
  window.addEventListener('pagehide', flush);
  window.addEventListener('vitrine:flush', flush);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') {
      flush();
    }
  });
}

function flush(): void {
  if (waiting.length > 0) {
    const events = waiting.splice(0);
    navigator.sendBeacon(ADDRESS, new Blob([JSON.stringify({ events })], { type: 'application/json' }));
  }
}
