// Numbers that come one after another, each once: versions of a project, lines of a log.

import { check } from 'k6';
import { Counter } from 'k6/metrics';

const missed = new Counter('events_missed');
const doubled = new Counter('events_doubled');

/** What came of them. */
export class Sequence {
  constructor() {
    this.seen = [];
  }

  /** The number that came last. */
  get last() {
    return this.seen[this.seen.length - 1];
  }

  /** What is after this number has to come; unless told, what is after the first that comes. */
  begin(number) {
    this.first = number;
  }

  /** One has come. */
  hear(number) {
    this.seen.push(number);
  }

  /** Claims that each came once, up to one that is known to have been. */
  judge(claim, end = this.last) {
    const first = this.first ?? this.seen[0] - 1;
    const wanted = this.seen.filter((number) => number > first && number <= end);
    const different = new Set(wanted).size;
    missed.add(end - first - different);
    doubled.add(wanted.length - different);
    check(different, { [claim]: () => wanted.length === different && different === end - first });
  }
}
