// Forms: builds request bodies from their controls, and shows the field errors of a problem next to the controls.

import { all, make } from './dom';
import type { FieldError } from './problem';

/** Builds the request body from the named controls of a form. Leaves out disabled controls and empty optional ones. A list of checkboxes
 * becomes an array of the checked values, which may be empty. */
export function bodyOf(form: HTMLFormElement, submitter: HTMLElement | null): Record<string, unknown> {
  const data = new FormData(form, submitter);
  const body: Record<string, unknown> = {};
  for (const [name, value] of data) {
    if (value !== '' || !isOptional(form, name)) {
      body[name] = isNumber(form, name) ? Number(value) : value;
    }
  }
  for (const input of form.querySelectorAll<HTMLInputElement>('fieldset[data-type="list"] input[type="checkbox"]:enabled')) {
    body[input.name] = data.getAll(input.name);
  }
  return body;
}

/** Shows each error at its control, marks the control as invalid and focuses the first invalid control. Returns the errors without a
 * control. */
export function markFields(form: HTMLElement, errors: readonly FieldError[]): FieldError[] {
  const messagesByPlace = new Map<HTMLElement, string[]>();
  const unplaced: FieldError[] = [];
  for (const error of errors) {
    const place = errorPlaceOf(form, error.field);
    if (place) {
      messagesByPlace.set(place, [...(messagesByPlace.get(place) ?? []), error.message]);
    } else {
      unplaced.push(error);
    }
  }
  for (const [place, messages] of messagesByPlace) {
    place.replaceChildren(...messages.map((message) => make('span', {}, `${message}. `)));
    place.hidden = false;
    for (const control of controlsOfPlace(form, place)) {
      control.setAttribute('aria-invalid', 'true');
      linkToError(control, place);
    }
  }
  form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  return unplaced;
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

/** The element that shows the errors of a field. An error of a list item (`platforms[0]`) is shown at the list. */
function errorPlaceOf(form: HTMLElement, field: string): HTMLElement | null {
  const [topLevel] = field.split(/[.[]/);
  return form.querySelector<HTMLElement>(`[data-error-for="${CSS.escape(topLevel ?? field)}"]`);
}

/** The controls whose errors are shown at this place. */
function controlsOfPlace(form: HTMLElement, place: HTMLElement): HTMLElement[] {
  return all(`[name="${CSS.escape(place.dataset['errorFor'] ?? '')}"]`, form);
}

/** Makes screen readers announce the error with its control. */
function linkToError(control: HTMLElement, place: HTMLElement): void {
  place.id ||= `error-${crypto.randomUUID()}`;
  const described = new Set(control.getAttribute('aria-describedby')?.split(' '));
  control.setAttribute('aria-describedby', [...described.add(place.id)].join(' '));
}
