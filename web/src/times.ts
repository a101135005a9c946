// Relative times such as "3 minutes ago", updated while the page is visible. The absolute time is in the title.

import { all } from './dom';

const UPDATE_INTERVAL = 10_000;
const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const units: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** Converts every `<time data-relative>` of the page, now and periodically. */
export function startTimes(): void {
  updateTimes();
  setInterval(updateTimes, UPDATE_INTERVAL);
  document.addEventListener('visibilitychange', updateTimes);
}

/** Formats `moment` relative to `now`, both in milliseconds since the epoch. */
export function relative(moment: number, now: number): string {
  const seconds = Math.round((moment - now) / 1000);
  for (const [unit, length] of units) {
    if (Math.abs(seconds) >= length) {
      return words.format(Math.trunc(seconds / length), unit);
    }
  }
  return Math.abs(seconds) < 10 ? 'just now' : words.format(seconds, 'second');
}

function updateTimes(): void {
  if (document.hidden) {
    return;
  }
  const now = Date.now();
  for (const element of all('time[data-relative]')) {
    const moment = Date.parse(element.getAttribute('datetime') ?? '');
    if (Number.isNaN(moment)) {
      continue;
    }
    element.title ||= element.textContent.trim();
    const text = relative(moment, now);
    if (element.textContent !== text) {
      element.textContent = text;
    }
  }
}
