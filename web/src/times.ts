// Times as people say them: "3 minutes ago", kept fresh; the whole time stays in the title.

import { all } from './dom';

const ROUND = 10_000;
const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const units: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** Turns every `<time data-relative>` of the page, now and again. */
export function startTimes(): void {
  freshen();
  setInterval(freshen, ROUND);
  document.addEventListener('visibilitychange', freshen);
}

/** A moment as told at another, both in milliseconds. */
export function relative(moment: number, now: number): string {
  const seconds = Math.round((moment - now) / 1000);
  for (const [unit, length] of units) {
    if (Math.abs(seconds) >= length) {
      return words.format(Math.trunc(seconds / length), unit);
    }
  }
  return Math.abs(seconds) < 10 ? 'just now' : words.format(seconds, 'second');
}

function freshen(): void {
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
    const told = relative(moment, now);
    if (element.textContent !== told) {
      element.textContent = told;
    }
  }
}
