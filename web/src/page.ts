// What the server says about this page on its <body>, read once.

/** The template of the page's address, as metrics name it; empty where the server names none. */
export const route = document.body.dataset['route'] ?? '';

/** The share of page loads whose vitals and assets are measured, from 0 to 1. */
export const sample = Number(document.body.dataset['rumSample'] ?? '0');

/** The address that signs in and comes back to this page. */
export function loginAddress(): string {
  return `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
}
