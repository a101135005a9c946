// An error boundary around a part of the page: if the part fails to start, the rest continues, the page shows a message, and the beacon
// reports the failure.

import { report } from './beacon/queue';
import { main, make } from './dom';
import { route } from './page';

/** Starts a part; shows a failure in `place`. */
export async function boundary(start: () => void | Promise<void>, place: HTMLElement = main()): Promise<void> {
  try {
    await start();
  } catch (error) {
    console.error(error);
    if (route) {
      report({ kind: 'error_boundary', route });
    }
    place.append(make('p', { class: 'problem', role: 'alert' }, 'This part failed to start. Reload the page.'));
  }
}
