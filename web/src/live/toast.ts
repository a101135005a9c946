// A toast: one line about an event elsewhere, with an action.

import { make, makeButton } from '../dom';

// Added to the page while still empty: screen readers announce changes only of a live region that they already know.
const region = make('div', { class: 'toast', role: 'status' });
document.body.append(region);

/** Shows a toast in place of the previous one; `deed` is a button or a link. */
export function toast(text: string, deed?: HTMLElement): void {
  const dismiss = makeButton('Dismiss', 'button-quiet button-small', () => region.replaceChildren());
  region.replaceChildren(make('span', {}, text), ...(deed ? [deed] : []), dismiss);
}
