// Starts a part of the page so that its failure stays its own: the rest goes on, the place says so and the beacon counts it.

import { report } from './beacon/queue';
import { main, make } from './dom';
import { route } from './page';

/** Runs the start of a part; `place` is where its failure is told. */
export async function boundary(start: () => void | Promise<void>, place: HTMLElement = main()): Promise<void> {
  try {
    await start();
  } catch (error) {
    console.error(error);
    if (route) {
      report({ kind: 'error_boundary', route });
    }
    place.append(make('p', { class: 'problem', role: 'alert' }, 'This part could not start. Reload the page.'));
  }
}
