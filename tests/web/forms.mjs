// What people do with the forms and buttons of the pages, found by what those say that they do.
import { PASSWORD } from './people.mjs';

/** A form or button, by the operation that it stands for. */
export const action = (page, method, endpoint) => page.locator(`[data-method="${method}"][data-endpoint="${endpoint}"]`);

export const submit = (form) => form.locator('[type=submit]').click();

/** Fills in the page for signing in, and sends it. */
export async function logIn(page, email, password = PASSWORD) {
  const form = action(page, 'POST', '/api/auth/login');
  await form.locator('[name=email]').fill(email);
  await form.locator('[name=password]').fill(password);
  await submit(form);
  return form;
}
