// Checks that consecutive numbers arrive exactly once: versions of a project, lines of a log.

import { check } from 'k6';
import { Counter } from 'k6/metrics';

const missed = new Counter('events_missed');
const doubled = new Counter('events_doubled');

/** The numbers received so far. */
export class Sequence {
  constructor() {
    this.seen = [];
  }

  /** The most recent number. */
  get last() {
    return this.seen[this.seen.length - 1];
  }

  /** Expects all numbers after this one. If this is never called, the first number received is also the first one expected. */
  begin(number) {
    this.first = number;
  }

  /** Records a received number. */
  hear(number) {
    this.seen.push(number);
  }

  /** Checks that every expected number up to `end` arrived exactly once. If the first or the last expected number is unknown, at least one
   *  number must have arrived. */
  judge(claim, end = this.last) {
    if (this.seen.length === 0 && (this.first === undefined || end === undefined)) {
      missed.add(1);
      check(end, { [claim]: () => false });
      return;
    }
    const first = this.first ?? this.seen[0] - 1;
    const wanted = this.seen.filter((number) => number > first && number <= end);
    const different = new Set(wanted).size;
    missed.add(end - first - different);
    doubled.add(wanted.length - different);
    check(different, { [claim]: () => wanted.length === different && different === end - first });
  }
}
