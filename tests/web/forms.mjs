// Helpers to use forms and buttons. They find an element by the API operation in its data attributes.
import { freshEmail, PASSWORD } from './people.mjs';

/** The form or button for an API operation. */
export const action = (page, method, endpoint) => page.locator(`[data-method="${method}"][data-endpoint="${endpoint}"]`);

export const submit = (form) => form.locator('[type=submit]').click();

/** Fills in and submits the sign-in form. */
export async function logIn(page, email, password = PASSWORD) {
  const form = action(page, 'POST', '/api/auth/login');
  await form.locator('[name=email]').fill(email);
  await form.locator('[name=password]').fill(password);
  await submit(form);
  return form;
}

/** Creates an account from the home page, and signs in. Returns the e-mail address. */
export async function signUp(page) {
  const email = freshEmail();
  await page.goto('/');
  await page.getByRole('main').getByRole('link', { name: 'Try it' }).click();
  const form = action(page, 'POST', '/api/auth/register');
  await form.locator('[name=display_name]').fill('Ada Lovelace');
  await form.locator('[name=email]').fill(email);
  await form.locator('[name=password]').fill(PASSWORD);
  await submit(form);
  await page.getByText('Your account was created').waitFor();
  await logIn(page, email);
  await page.waitForURL('/studio');
  return email;
}
