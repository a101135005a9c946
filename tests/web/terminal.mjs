// The terminal on the page of an environment.
import { until } from './bench.mjs';

/** Opens a shell, waits for its prompt and moves the keyboard focus to the terminal. */
export async function openTerminal(page) {
  await page.locator('[data-open-terminal=shell]').click();
  await page.locator('[data-terminal] .xterm').waitFor();
  await terminalShows(page, 'a prompt', (text) => text.includes('$'));
  await page.locator('[data-terminal] textarea').focus();
}

/** Waits until the text of the terminal matches. */
export async function terminalShows(page, what, matches) {
  await until(`the terminal shows ${what}`, async () => {
    const seen = await page.locator('[data-terminal] .xterm-rows').innerText();
    return { done: matches(seen), seen };
  });
}
