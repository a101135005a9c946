// The users who are online in the project.

import { all, make } from '../dom';
import type { Live } from './socket';

/** Keeps the `[data-presence]` lists up to date. */
export function startPresence(socket: Live, project: string): void {
  socket.on('presence', ({ project_id, users }) => {
    if (project_id !== project) {
      return;
    }
    for (const list of all('[data-presence]')) {
      list.replaceChildren(...users.map(({ display_name }) => make('li', {}, avatar(display_name), display_name)));
    }
  });
}

function avatar(name: string): HTMLElement {
  return make('span', { class: 'avatar', 'aria-hidden': 'true' }, [...name.trim()][0]?.toUpperCase() ?? '?');
}
