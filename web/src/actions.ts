// Forms and buttons that call the API: `data-method`, `data-endpoint`, `data-path`, and `data-then` for what follows.

import { call, type Answer } from './api';
import { confirmed } from './confirm';
import { all } from './dom';
import { bodyOf, clearFields, markFields } from './fields';
import { keyFor, settle } from './idempotency';
import { clearProblem, showProblem } from './problem';

/** What an answer may have: the names that `data-goto` is filled from. */
type Fields = Readonly<Record<string, unknown>> | null;

/** Listens for every action of the page, also for those that are added later. */
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
  // A page that comes back from the browser's memory must not be busy with what it was left for.
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
  if (question && !(await confirmed(question, pressed?.textContent.trim() || 'Go on'))) {
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

/** Does what comes after a success; whether the page is being left. */
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

/** Puts values of an answer into the `{names}` of an address. */
function fill(template: string, data: Fields): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(data?.[name] ?? '')));
}

function isBusy(element: HTMLElement): boolean {
  return element.getAttribute('aria-busy') === 'true';
}

/** Nothing is sent twice: the buttons are off, and the one with the focus gets it back afterwards. */
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
