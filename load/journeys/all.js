// All journeys. Each profile exports them again, because k6 finds the function of a scenario among the exports of the profile.

export { announcer } from './announcer.js';
export { arrival } from './arrival.js';
export { builder } from './builder.js';
export { editor } from './editor.js';
export { guest } from './guest.js';
export { listener } from './listener.js';
export { newcomer } from './newcomer.js';
export { probe } from './probe.js';
export { tour } from './tour.js';
export { visit } from './visit.js';
export { visitor } from './visitor.js';
