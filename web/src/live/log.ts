// The log of an environment: appends new lines and scrolls along until the user scrolls up.

import { make, nearest } from '../dom';
import type { LogEntry } from './protocol';
import type { Live } from './socket';
import { subscribeToEnvironment } from './subscribe';

/** Maximum number of lines on the page; the oldest are removed. */
const MOST = 2_000;
/** Distance from the end, in pixels, that still counts as the end. */
const NEAR = 24;

/** Subscribes a list to its environment's log. */
export function startLog(socket: Live, log: HTMLElement): void {
  const environment = log.dataset['environment'] ?? '';
  const end = nearest(log, '[data-log-follow]');
  let last = Number(log.dataset['lastSeq'] ?? '0');
  let following = true;

  const toEnd = (): void => {
    log.scrollTop = log.scrollHeight;
  };
  const follow = (yes: boolean): void => {
    following = yes;
    end?.toggleAttribute('hidden', yes);
  };
  log.addEventListener('scroll', () => follow(log.scrollHeight - log.scrollTop - log.clientHeight < NEAR), { passive: true });
  end?.addEventListener('click', () => {
    follow(true);
    toEnd();
    log.focus();
  });
  follow(true);
  toEnd();

  socket.on('env:log', ({ environment_id, entries }) => {
    const fresh = environment_id === environment ? entries.filter(({ seq }) => seq > last) : [];
    const lines = fresh.flatMap((entry) => {
      const dropped = last > 0 ? entry.seq - last - 1 : 0;
      last = entry.seq;
      return dropped > 0 ? [gap(dropped), line(entry)] : [line(entry)];
    });
    if (lines.length === 0) {
      return;
    }
    log.append(...lines);
    while (log.childElementCount > MOST) {
      log.firstElementChild?.remove();
    }
    log.dataset['lastSeq'] = String(last);
    if (following) {
      toEnd();
    }
  });
  subscribeToEnvironment(socket, environment, () => last);
}

function line({ seq, stream, line: text, at }: LogEntry): HTMLElement {
  const time = make('time', { datetime: at }, at.slice(11, 19));
  return make('li', { 'data-seq': String(seq), class: `stream-${stream}` }, time, make('span', {}, text));
}

function gap(dropped: number): HTMLElement {
  return make('li', { class: 'log-gap' }, `Lines no longer available: ${dropped.toLocaleString('en')}`);
}
