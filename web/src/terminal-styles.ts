// Lets xterm draw under a Content-Security-Policy without 'unsafe-inline'. xterm makes <style> elements and writes `style` attributes, both of
// which the policy refuses; style sheets that are constructed and the `style` property it allows, since only a script can use them. So the
// document is taught to make the one out of the other. (xterm's own `documentOverride` reaches only a part of its code.)

/** An element in the place of a <style>: its text becomes a style sheet that counts while the element is on the page. */
class AdoptedStyle extends HTMLElement {
  readonly #sheet = new CSSStyleSheet();

  override get textContent(): string {
    return [...this.#sheet.cssRules].map(({ cssText }) => cssText).join('\n');
  }

  override set textContent(text: string | null) {
    this.#sheet.replaceSync(text ?? '');
  }

  connectedCallback(): void {
    document.adoptedStyleSheets.push(this.#sheet);
  }

  disconnectedCallback(): void {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.#sheet);
  }
}

/** Sets an attribute, and a style by its property. */
function setAttribute(this: HTMLElement, name: string, value: string): void {
  if (name === 'style') {
    this.style.cssText = value;
  } else {
    Element.prototype.setAttribute.call(this, name, value);
  }
}

/** Teaches the document, once. */
export function allowTerminalStyles(): void {
  if (customElements.get('adopted-style')) {
    return;
  }
  customElements.define('adopted-style', AdoptedStyle);
  const createElement = document.createElement.bind(document);
  document.createElement = (name: string, options?: ElementCreationOptions): HTMLElement => {
    const element = createElement(name === 'style' ? 'adopted-style' : name, options);
    element.setAttribute = setAttribute;
    return element;
  };
}
