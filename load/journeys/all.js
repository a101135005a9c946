// Every journey, for the profiles: k6 starts a scenario's journey by the name that the script exports.

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
