// Lets xterm render under a Content-Security-Policy without 'unsafe-inline'. xterm creates <style> elements and sets `style` attributes;
// the policy blocks both. It allows constructed style sheets and the `style` property, because only scripts can use them. So this module
// patches `document.createElement`: <style> elements become constructed style sheets, and `style` attributes become properties. (xterm's
// own option `documentOverride` covers only part of its code.)

/** Replaces <style>: its text is a constructed style sheet, which applies while the element is in the document. */
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

/** Sets an attribute, but sets `style` through the property. */
function setAttribute(this: HTMLElement, name: string, value: string): void {
  if (name === 'style') {
    this.style.cssText = value;
  } else {
    Element.prototype.setAttribute.call(this, name, value);
  }
}

/** Patches the document on the first call. Affects all elements that scripts create later. */
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
