// The status of environments: the chip, the last error, and the operations that the status allows.

import { read } from '../api';
import { all, make } from '../dom';
import { showStatus } from './chip';
import type { Status } from './protocol';
import type { Live } from './socket';
import { toast } from './toast';

const ENDPOINT = '/api/projects/{id}/environments';

interface Listed {
  readonly items: readonly { readonly id: string; readonly status: string; readonly last_error: string | null }[];
}

/** The version of the last event of each environment. */
const versions = new Map<string, number>();

/** Tracks every environment on the page. If the page belongs to a project and shows environments, each new connection also reloads the
 * status of the project's environments, to catch up on missed events. */
export function startStatus(socket: Live, project: string | undefined): void {
  socket.on('env:status', (event) => {
    if (event.version < (versions.get(event.environment_id) ?? 0)) {
      return;
    }
    versions.set(event.environment_id, event.version);
    if (event.status === 'deleted') {
      showDeleted(event.environment_id, event.project_id);
    } else {
      showEnvironment(event);
    }
  });
  if (!project || !document.querySelector('[data-status-of]')) {
    return;
  }
  socket.on('connect', async () => {
    const show = showUnlessChanged();
    const answer = await read<Listed>(ENDPOINT, `/api/projects/${project}/environments?limit=100`);
    for (const { id, ...environment } of answer.problem ? [] : answer.data.items) {
      show({ environment_id: id, ...environment });
    }
  });
}

/** Call this before a request is sent. The returned function shows the status in the answer, unless an event of the environment has
 * arrived meanwhile: the answer has no version and may be older than the event. */
export function showUnlessChanged(): (status: Status) => void {
  const before = new Map(versions);
  return (status) => {
    if (versions.get(status.environment_id) === before.get(status.environment_id)) {
      showEnvironment(status);
    }
  };
}

/** Shows a status everywhere on the page. */
function showEnvironment({ environment_id: id, status, last_error }: Status): void {
  for (const chip of all(`[data-status-of="${CSS.escape(id)}"]`)) {
    showStatus(chip, status);
  }
  for (const place of all(`[data-last-error-of="${CSS.escape(id)}"]`)) {
    place.textContent = last_error ?? '';
    place.hidden = !last_error;
  }
  for (const card of all(`[data-environment-card="${CSS.escape(id)}"]`)) {
    for (const part of all('[data-when]', card)) {
      part.hidden = !part.dataset['when']?.split(' ').includes(status);
    }
  }
}

function showDeleted(id: string, project: string): void {
  showEnvironment({ environment_id: id, status: 'deleted', last_error: null });
  if (document.querySelector(`[data-live][data-environment="${CSS.escape(id)}"]`)) {
    toast('The environment was deleted.', make('a', { class: 'button button-small', href: `/studio/projects/${project}` }, 'Go to the project'));
  } else {
    all(`[data-environment-card="${CSS.escape(id)}"]`).forEach((card) => card.remove());
  }
}
