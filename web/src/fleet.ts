// The fleet status: requests, sockets and uptime, of the whole fleet and of each replica. It is polled every two seconds while the page is
// visible.

import { read } from './api';
import { all } from './dom';

const ROUND = 2_000;
const numbers = new Intl.NumberFormat('en');

interface Replica {
  readonly name: string;
  readonly uptime_seconds: number;
  readonly requests: number;
  readonly sockets: number;
  readonly is_ready: boolean;
}

interface Fleet {
  readonly replicas: readonly Replica[];
  readonly requests: number;
  readonly sockets: number;
  readonly served_by: string;
}

/** Polls the fleet status and shows it in a block of the page. */
export function startFleet(block: HTMLElement): void {
  let timer = 0;
  const round = async (): Promise<void> => {
    clearTimeout(timer);
    if (document.hidden) {
      return;
    }
    const answer = await read<Fleet>('/api/fleet', '/api/fleet');
    block.classList.toggle('is-stale', answer.problem !== undefined);
    if (!answer.problem) {
      show(block, answer.data);
    }
    timer = window.setTimeout(round, ROUND);
  };
  document.addEventListener('visibilitychange', () => void round());
  void round();
}

function show(block: HTMLElement, fleet: Fleet): void {
  const ready = fleet.replicas.filter((replica) => replica.is_ready).length;
  const total = fleet.replicas.length;
  const values: Readonly<Record<string, string>> = {
    replicas: ready === total ? String(total) : `${ready} of ${total}`,
    requests: numbers.format(fleet.requests),
    sockets: numbers.format(fleet.sockets),
    uptime: duration(Math.max(0, ...fleet.replicas.map((replica) => replica.uptime_seconds))),
  };
  const list = block.querySelector('[data-fleet-replicas]');
  // The elements in the list show single replicas, all others show the whole fleet.
  for (const element of all('[data-fleet-value]', block)) {
    if (!list?.contains(element)) {
      write(element, values[element.dataset['fleetValue'] ?? '']);
    }
  }
  for (const row of list ? all('[data-replica]', list) : []) {
    showReplica(row, fleet);
  }
}

function showReplica(row: HTMLElement, { replicas, served_by }: Fleet): void {
  const replica = replicas.find(({ name }) => name === row.dataset['replica']);
  row.classList.toggle('is-away', !replica?.is_ready);
  row.classList.toggle('is-serving', replica?.name === served_by);
  if (!replica) {
    return;
  }
  const values: Readonly<Record<string, string>> = {
    requests: numbers.format(replica.requests),
    sockets: numbers.format(replica.sockets),
    uptime: duration(replica.uptime_seconds),
  };
  for (const element of all('[data-fleet-value]', row)) {
    write(element, values[element.dataset['fleetValue'] ?? '']);
  }
}

function write(element: HTMLElement, value: string | undefined): void {
  if (value !== undefined && element.textContent !== value) {
    element.textContent = value;
  }
}

/** Formats a duration in its two largest units, like `duration` in src/pages/view.rs. */
function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3_600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  const shown = first < 0 ? parts.slice(-1) : parts.slice(first, first + 2);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}
