// Pages as a browser has them: the document, the files it names, calls of its script, and the beacon that tells of all that
// when it is left. The times are those of this visit where k6 knows them; what only a screen can tell is made up, at values that feel good.

import { sleep } from 'k6';
import exec from 'k6/execution';

import { call } from './http.js';

const FILE_TYPES = { js: 'script', css: 'style', svg: 'image' };
/** Files that a browser has seen it has in its cache. */
let known = { iteration: -1, files: new Set() };

/** Opens a page; `route` is the template of its address. */
export function open(route, at = {}) {
  const answer = call('GET', route, { at, headers: { accept: 'text/html' } });
  const wait = answer.timings.waiting;
  const paint = wait + between(60, 240);
  const vital = (name, value) => ({ kind: 'web_vital', route, vital: name, value });
  const events = [{ kind: 'page_view', route }, vital('ttfb', wait), vital('fcp', paint), ...load(answer.body)];
  return new Page(route, events, [vital('lcp', paint + between(0, 400)), vital('inp', between(16, 120)), vital('cls', between(0, 0.05))]);
}

/** A page that is open. */
class Page {
  constructor(route, events, last) {
    Object.assign(this, { route, events, last });
  }

  /** A call of the page's script. */
  call(method, endpoint, options = {}) {
    const answer = call(method, endpoint, { ...options, headers: { 'sec-fetch-site': 'same-origin', ...options.headers } });
    this.events.push({ kind: 'api_call', endpoint, status: answer.status });
    return answer;
  }

  /** Leaves the page after so many seconds of reading. */
  leave(seconds = 0) {
    sleep(seconds);
    const headers = { 'sec-fetch-site': 'same-origin' };
    call('POST', '/api/rum', { body: { events: [...this.events, ...this.last] }, headers, wanted: [204] });
  }
}

/** Loads the files that a document names, unless this browser has them. */
function load(document) {
  const iteration = exec.vu.iterationInScenario;
  if (known.iteration !== iteration) {
    known = { iteration, files: new Set() };
  }
  const named = [...document.matchAll(/(?:src|href)="\/assets\/([^"]+)"/g)].map(([, file]) => file);
  const fresh = named.filter((file) => !known.files.has(file));
  return fresh.map((file) => {
    known.files.add(file);
    const { timings } = call('GET', '/assets/{file}', { at: { file } });
    return { kind: 'asset', type: FILE_TYPES[file.split('.').pop()], value: timings.duration };
  });
}

function between(least, most) {
  return least + Math.random() * (most - least);
}
