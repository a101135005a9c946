// Data of the page. The attributes of <body> are read once.

/** The page's route template, which is also its label in metrics; empty on problem pages. */
export const route = document.body.dataset['route'] ?? '';

/** Share of page loads that report vitals and asset timings, 0 to 1. */
export const sample = Number(document.body.dataset['rumSample'] ?? '0');

/** Whether the page reloads itself when the replica has restarted; never in production. */
export const reloads = 'reload' in document.body.dataset;

/** Address of the sign-in page that leads back to this page. */
export function loginAddress(): string {
  return `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
}
