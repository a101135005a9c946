// Runs the stories sequentially in one browser. `cargo xtask browser` starts the stack and sets the environment variables. Prints the
// result of each story, and a summary in the last line. Each file in stories/ covers one topic; all share bench.mjs.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { Bench } from './bench.mjs';
import { accessibility } from './stories/accessibility.mjs';
import { accounts } from './stories/accounts.mjs';
import { changes } from './stories/changes.mjs';
import { faults } from './stories/faults.mjs';
import { journey } from './stories/journey.mjs';
import { keyboard } from './stories/keyboard.mjs';
import { plain } from './stories/plain.mjs';
import { policy } from './stories/policy.mjs';
import { screenshots } from './stories/screenshots.mjs';
import { signing } from './stories/signing.mjs';
import { speed } from './stories/speed.mjs';
import { terminals } from './stories/terminals.mjs';
import { together } from './stories/together.mjs';
import { visits } from './stories/visits.mjs';

// The stories of `visits` run first: they expect exact counts, and late reports of other stories would increase the counts.
const stories = [visits, speed, journey, accounts, changes, together, terminals, plain, signing, faults, keyboard, policy, accessibility, screenshots];
const all = Object.assign({}, ...stories);
const wanted = process.argv[2] ?? '';

const pictures = process.env.SCREENSHOTS;
for (const file of await readdir(pictures)) if (file.startsWith('failed-')) await rm(join(pictures, file));

const bench = await Bench.open(process.env);
let [passed, failed] = [0, 0];
for (const [name, story] of Object.entries(all).filter(([name]) => name.includes(wanted))) {
  const start = performance.now();
  const { note, error } = await bench.run(story);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (error) {
    failed += 1;
    const picture = await bench.picture(join(pictures, `failed-${failed}.png`));
    console.log(`FAILED  ${name} (${seconds} s)${picture ? `, see ${picture}` : ''}\n${error.stack}`);
  } else {
    passed += 1;
    console.log(`ok      ${name} (${seconds} s)${note ? `: ${note}` : ''}`);
  }
  await bench.leave();
}
await bench.close();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
