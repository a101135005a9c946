// What becomes of the project that the page shows.

import { isActing, make, makeButton } from '../dom';
import type { Live } from './socket';
import { toast } from './toast';

const texts: Readonly<Record<string, string>> = {
  updated: 'The project was changed.',
  published: 'The project was published.',
  unpublished: 'The project is not public any more.',
  member_added: 'Somebody joined the project.',
  member_removed: 'Somebody left the project.',
};
const endings: Readonly<Record<string, string>> = {
  deleted: 'The project was deleted.',
  access_lost: 'You are not a member of this project any more.',
};

/** Tells of changes of a project; what the reader is changing from this very page needs no telling. */
export function startChanges(socket: Live, project: string): void {
  socket.on('project:changed', ({ project_id, change }) => {
    const end = endings[change];
    const text = texts[change];
    if (project_id !== project || isActing()) {
      return;
    }
    if (end) {
      toast(end, make('a', { class: 'button button-small', href: '/studio' }, 'To the studio'));
    } else if (text) {
      toast(text, makeButton('Reload', 'button-small', () => location.reload()));
    }
  });
}
