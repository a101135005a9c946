// Forms and buttons that call the API: `data-method`, `data-endpoint` and `data-path` name the operation, `data-then` the next step.

import { call, type Answer } from './api';
import { confirmed } from './confirm';
import { all } from './dom';
import { bodyOf, clearFields, markFields } from './fields';
import { keyFor, settle } from './idempotency';
import { clearProblem, showProblem } from './problem';

/** The body of a response, which fills the placeholders of `data-goto`. */
type Fields = Readonly<Record<string, unknown>> | null;

/** Handles all actions of the page with delegated listeners, so elements that are added later work, too. */
export function startActions(): void {
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (form instanceof HTMLFormElement && form.dataset['method']) {
      event.preventDefault();
      void act(form, event.submitter);
    }
  });
  document.addEventListener('click', (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>('button[data-method]') : null;
    if (button) {
      event.preventDefault();
      void act(button, button);
    }
  });
  // An action that navigates away leaves its element busy. If the browser restores the page from the back/forward cache, the element must
  // be usable again.
  window.addEventListener('pageshow', ({ persisted }) => {
    if (persisted) {
      all('[aria-busy="true"]').forEach(setIdle);
    }
  });
}

async function act(element: HTMLElement, pressed: HTMLElement | null): Promise<void> {
  if (isBusy(element)) {
    return;
  }
  const question = element.dataset['confirm'];
  if (question && !(await confirmed(question, pressed?.textContent.trim() || 'Continue'))) {
    return;
  }
  clearProblem(element);
  clearFields(element);
  const body = element instanceof HTMLFormElement ? bodyOf(element, pressed) : undefined;
  setBusy(element);
  const answer = await send(element, body);
  settle(element, answer.problem);
  if (answer.problem) {
    setIdle(element);
    showProblem(element, answer.problem, markFields(element, answer.problem.errors ?? []));
  } else if (!follow(element, answer.data)) {
    setIdle(element);
  }
}

function send(element: HTMLElement, body: Record<string, unknown> | undefined): Promise<Answer<Fields>> {
  const { method = 'POST', path = '', endpoint = path, etag } = element.dataset;
  const headers: Record<string, string> = {};
  if (method === 'POST') {
    headers['idempotency-key'] = keyFor(element, body);
  }
  if (etag) {
    headers['if-match'] = etag;
  }
  const request = { method, endpoint, path, headers };
  return call<Fields>(body && Object.keys(body).length > 0 ? { ...request, body } : request);
}

/** Runs the next step after a success; returns whether it leaves the page. */
function follow(element: HTMLElement, data: Fields): boolean {
  switch (element.dataset['then']) {
    case 'reload':
      location.reload();
      return true;
    case 'goto':
      location.assign(fill(element.dataset['goto'] ?? '/', data));
      return true;
    default:
      return false;
  }
}

/** Replaces the `{name}` placeholders of an address with fields of the response. */
function fill(template: string, data: Fields): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(data?.[name] ?? '')));
}

function isBusy(element: HTMLElement): boolean {
  return element.getAttribute('aria-busy') === 'true';
}

/** Disables the buttons to prevent a second submission. `setIdle` restores the focus, which a disabled button loses. */
function setBusy(element: HTMLElement): void {
  element.setAttribute('aria-busy', 'true');
  for (const button of buttonsOf(element)) {
    button.toggleAttribute('data-had-focus', button === document.activeElement);
    button.disabled = true;
  }
}

function setIdle(element: HTMLElement): void {
  element.removeAttribute('aria-busy');
  for (const button of buttonsOf(element)) {
    button.disabled = false;
    if (button.hasAttribute('data-had-focus')) {
      button.removeAttribute('data-had-focus');
      button.focus();
    }
  }
}

function buttonsOf(element: HTMLElement): HTMLButtonElement[] {
  return element instanceof HTMLButtonElement ? [element] : [...element.querySelectorAll('button')];
}
