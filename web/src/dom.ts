// Helpers to query and create elements.

/** All elements that match a selector, in document order. */
export function all(selector: string, root: ParentNode = document): HTMLElement[] {
  return [...root.querySelectorAll<HTMLElement>(selector)];
}

/** Creates an element with attributes and children. Strings become text nodes, never HTML. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    element.setAttribute(attribute, value);
  }
  element.append(...children);
  return element;
}

/** Creates a button with a click handler. `kind` holds additional classes. */
export function makeButton(text: string, kind: string, act: () => void): HTMLButtonElement {
  const button = make('button', { type: 'button', class: `button ${kind}`.trim() }, text);
  button.addEventListener('click', act);
  return button;
}

/** Finds the nearest match of a selector: inside this element, or else inside its closest ancestor with a match. */
export function nearest(from: Element, selector: string): HTMLElement | null {
  for (let place: Element | null = from; place; place = place.parentElement) {
    const found = place.querySelector<HTMLElement>(selector);
    if (found) {
      return found;
    }
  }
  return null;
}

/** Whether an action of the user is in progress. */
export function isActing(): boolean {
  return document.querySelector('[aria-busy="true"]') !== null;
}

/** The `<main>` element of the page, or `<body>` if there is none. */
export function main(): HTMLElement {
  return document.querySelector('main') ?? document.body;
}
