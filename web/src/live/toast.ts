// One line over the page that something has happened elsewhere, with what can be done about it.

import { make, makeButton } from '../dom';

// On the page before it has anything to tell, so that screen readers know it by then.
const region = make('div', { class: 'toast', role: 'status' });
document.body.append(region);

/** Shows a line in place of the one before; `deed` is a button or a link. */
export function toast(text: string, deed?: HTMLElement): void {
  const dismiss = makeButton('Dismiss', 'button-quiet button-small', () => region.replaceChildren());
  region.replaceChildren(make('span', {}, text), ...(deed ? [deed] : []), dismiss);
}
