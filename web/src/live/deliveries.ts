// Live status of the deliveries of posts.

import { read } from '../api';
import { all, make } from '../dom';
import { showStatus } from './chip';
import type { Live } from './socket';

const ENDPOINT = '/api/posts/{id}';
const FINAL = ['delivered', 'failed'];

interface Post {
  readonly id: string;
  readonly deliveries: readonly {
    readonly platform: string;
    readonly status: string;
    readonly last_error: string | null;
    readonly url: string | null;
  }[];
}

/** Tracks the deliveries on the page. After each connect, reloads the pending deliveries, because the page may have missed events. */
export function startDeliveries(socket: Live): void {
  if (!document.querySelector('[data-delivery]')) {
    return;
  }
  socket.on('post:delivered', ({ post_id, platform, url }) => show(post_id, platform, 'delivered', url, null));
  socket.on('post:failed', ({ post_id, platform, reason }) => show(post_id, platform, 'failed', null, reason));
  socket.on('connect', async () => {
    for (const id of openPosts()) {
      const answer = await read<Post>(ENDPOINT, ENDPOINT.replace('{id}', id));
      for (const { platform, status, url, last_error } of answer.problem ? [] : answer.data.deliveries) {
        // A delivery that became final meanwhile stays as it is: its event is newer than the answer.
        if (chips(id, platform).some(isOpen)) {
          show(id, platform, status, url, last_error);
        }
      }
    }
  });
}

function openPosts(): Set<string> {
  const open = all('[data-delivery]').filter(isOpen);
  return new Set(open.map(({ dataset }) => dataset['delivery']?.split(':')[0] ?? ''));
}

function isOpen({ classList }: HTMLElement): boolean {
  return !FINAL.some((status) => classList.contains(`status-${status}`));
}

function chips(post: string, platform: string): HTMLElement[] {
  return all(`[data-delivery="${CSS.escape(`${post}:${platform}`)}"]`);
}

/** Shows the status and, next to the chip, the link to the post or the reason of the failure. */
function show(post: string, platform: string, status: string, url: string | null, reason: string | null): void {
  for (const chip of chips(post, platform)) {
    showStatus(chip, status);
    const item = chip.parentElement;
    item?.querySelector('[data-delivery-note]')?.remove();
    if (url?.startsWith('http')) {
      chip.after(make('a', { href: url, class: 'small', rel: 'noopener', 'data-delivery-note': '' }, 'View post'));
    } else if (reason) {
      chip.after(make('span', { class: 'small muted', 'data-delivery-note': '' }, reason));
    }
  }
}
