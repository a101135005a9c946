// The few ways in which this code reads and makes elements.

/** Every element of a selector, in the order of the page. */
export function all(selector: string, root: ParentNode = document): HTMLElement[] {
  return [...root.querySelectorAll<HTMLElement>(selector)];
}

/** An element with attributes and children; text stays text. */
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

/** A button that does one thing. */
export function makeButton(text: string, kind: string, act: () => void): HTMLButtonElement {
  const button = make('button', { type: 'button', class: `button ${kind}`.trim() }, text);
  button.addEventListener('click', act);
  return button;
}

/** The nearest element of a selector: in this one, or else beside it or beside what it is in. */
export function nearest(from: Element, selector: string): HTMLElement | null {
  for (let place: Element | null = from; place; place = place.parentElement) {
    const found = place.querySelector<HTMLElement>(selector);
    if (found) {
      return found;
    }
  }
  return null;
}

/** Whether something that the reader has asked for is under way. */
export function isActing(): boolean {
  return document.querySelector('[aria-busy="true"]') !== null;
}

/** The main part of the page. */
export function main(): HTMLElement {
  return document.querySelector('main') ?? document.body;
}
