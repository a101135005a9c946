// A toast: a short message at the bottom of the page, with a button that dismisses it.

import { make, makeButton } from '../dom';

// The page gets this region before the first message: screen readers announce only changes of a live region that they already know.
const region = make('div', { class: 'toast', role: 'status' });
document.body.append(region);

/** Shows a toast in place of the previous one; `deed` is an additional button or link. */
export function toast(text: string, deed?: HTMLElement): void {
  const dismiss = makeButton('Dismiss', 'button-quiet button-small', () => region.replaceChildren());
  region.replaceChildren(make('span', {}, text), ...(deed ? [deed] : []), dismiss);
}
