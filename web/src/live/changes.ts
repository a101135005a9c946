// Notifies the user of changes to the project on the page.

import { isActing, make, makeButton } from '../dom';
import type { Live } from './socket';
import { toast } from './toast';

const texts: Readonly<Record<string, string>> = {
  updated: 'The project has changed.',
  published: 'The project was published.',
  unpublished: 'The project was unpublished.',
  member_added: 'A member was added, or has a new role.',
  member_removed: 'A member left or was removed.',
};
const endings: Readonly<Record<string, string>> = {
  deleted: 'The project was deleted.',
  access_lost: 'You no longer have access to this project.',
};

/** Shows a toast for changes to a project, except while an action on this page is in progress: that action probably made the change. */
export function startChanges(socket: Live, project: string): void {
  socket.on('project:changed', ({ project_id, change }) => {
    const end = endings[change];
    const text = texts[change];
    if (project_id !== project || isActing()) {
      return;
    }
    if (end) {
      toast(end, make('a', { class: 'button button-small', href: '/studio' }, 'Go to the studio'));
    } else if (text) {
      toast(text, makeButton('Reload', 'button-small', () => location.reload()));
    }
  });
}
