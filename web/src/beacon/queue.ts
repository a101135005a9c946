// Queues events for `POST /api/rum` and sends them in batches that survive the end of the page.

/** An event that a page reports. */
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
/** Batch size that triggers a flush. The service accepts at most 50 events at once. */
const ENOUGH = 20;

const waiting: Event[] = [];

/** Queues an event. A hidden page may be discarded at any moment, so its events are sent immediately. */
export function report(event: Event): void {
  waiting.push(event);
  if (waiting.length >= ENOUGH || document.visibilityState === 'hidden') {
    flush();
  }
}

/** Starts periodic flushes, and flushes whenever the page may be about to end. Browser tests send `vitrine:flush` to flush immediately. */
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
