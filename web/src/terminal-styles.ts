// Lets xterm render under a Content-Security-Policy without 'unsafe-inline'. xterm creates <style> elements and sets `style` attributes,
// both of which the policy blocks. The policy allows constructed style sheets and the `style` property, because only scripts can use
// them. So this module patches the document to convert the former into the latter. (xterm's own `documentOverride` covers only part of
// its code.)

/** Stands in for <style>: its text becomes a style sheet that applies while the element is in the document. */
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

/** Sets an attribute; sets `style` through the property instead. */
function setAttribute(this: HTMLElement, name: string, value: string): void {
  if (name === 'style') {
    this.style.cssText = value;
  } else {
    Element.prototype.setAttribute.call(this, name, value);
  }
}

/** Patches the document, once. */
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
