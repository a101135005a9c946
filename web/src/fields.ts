// Form controls: serializes them to JSON, and shows the field errors of a problem next to them.

import { all, make } from './dom';
import type { FieldError } from './problem';

/** Builds the request body from the enabled, named controls of a form. Empty optional controls are left out. */
export function bodyOf(form: HTMLFormElement, submitter: HTMLElement | null): Record<string, unknown> {
  const data = new FormData(form, submitter);
  const body: Record<string, unknown> = {};
  for (const [name, value] of data) {
    if (value !== '' || !isOptional(form, name)) {
      body[name] = isNumber(form, name) ? Number(value) : value;
    }
  }
  for (const input of form.querySelectorAll<HTMLInputElement>('fieldset[data-type="list"] input[type="checkbox"]')) {
    body[input.name] = data.getAll(input.name);
  }
  return body;
}

/** Marks invalid controls and returns the errors that have no place in the form. */
export function markFields(form: HTMLElement, errors: readonly FieldError[]): FieldError[] {
  const placed = new Map<HTMLElement, string[]>();
  const homeless: FieldError[] = [];
  for (const error of errors) {
    const place = placeOf(form, error.field);
    if (place) {
      placed.set(place, [...(placed.get(place) ?? []), error.message]);
    } else {
      homeless.push(error);
    }
  }
  for (const [place, messages] of placed) {
    place.replaceChildren(...messages.map((message) => make('span', {}, `${message}. `)));
    place.hidden = false;
    for (const control of controlsOf(form, place)) {
      control.setAttribute('aria-invalid', 'true');
      describe(control, place);
    }
  }
  form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  return homeless;
}

/** Clears the errors of the previous submission. */
export function clearFields(form: HTMLElement): void {
  for (const place of all('[data-error-for]', form)) {
    place.replaceChildren();
    place.hidden = true;
  }
  for (const control of all('[aria-invalid]', form)) {
    control.removeAttribute('aria-invalid');
  }
}

function isOptional(form: HTMLFormElement, name: string): boolean {
  return form.querySelector(`[name="${CSS.escape(name)}"][data-optional]`) !== null;
}

function isNumber(form: HTMLFormElement, name: string): boolean {
  return form.querySelector(`[name="${CSS.escape(name)}"]:is([type="number"], [data-type="number"])`) !== null;
}

/** The element for a field's error. An error inside a list (`platforms.0`) is shown at the list. */
function placeOf(form: HTMLElement, field: string): HTMLElement | null {
  const [whole] = field.split('.');
  return form.querySelector<HTMLElement>(`[data-error-for="${CSS.escape(whole ?? field)}"]`);
}

function controlsOf(form: HTMLElement, place: HTMLElement): HTMLElement[] {
  return all(`[name="${CSS.escape(place.dataset['errorFor'] ?? '')}"]`, form);
}

function describe(control: HTMLElement, place: HTMLElement): void {
  place.id ||= `error-${crypto.randomUUID()}`;
  const described = new Set(control.getAttribute('aria-describedby')?.split(' '));
  control.setAttribute('aria-describedby', [...described.add(place.id)].join(' '));
}
