// Simulates pages in a browser: the document, its files, the calls of its script, and the beacon that the page sends when the visitor
// leaves. Times that k6 can measure are real. Values that only a screen could produce are random, in the good range.

import { sleep } from 'k6';
import exec from 'k6/execution';

import { call } from './http.js';

const FILE_TYPES = { js: 'script', css: 'style', svg: 'image' };
/** The browser cache of the current iteration. */
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

/** An open page. */
class Page {
  constructor(route, events, last) {
    Object.assign(this, { route, events, last });
  }

  /** Sends an API request like the page's script, and records it for the beacon. */
  call(method, endpoint, options = {}) {
    const answer = call(method, endpoint, { ...options, headers: { 'sec-fetch-site': 'same-origin', ...options.headers } });
    this.events.push({ kind: 'api_call', endpoint, status: answer.status });
    return answer;
  }

  /** Reads for some seconds, then leaves the page and sends the beacon. */
  leave(seconds = 0) {
    sleep(seconds);
    const headers = { 'sec-fetch-site': 'same-origin' };
    call('POST', '/api/rum', { body: { events: [...this.events, ...this.last] }, headers, wanted: [204] });
  }
}

/** Loads the files that a document links to, except those in the browser cache. */
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
