// Redis as a cache: one load at a time per key; an unavailable Redis fails no request. Absence is not cached.
import { cache as measured } from './metrics.js';
import { command } from './stores.js';

const loads = new Map();

/** Returns the cached value, or the result of `load`, which it caches for `seconds` or up to a tenth less. */
export async function getOrLoad(type, id, seconds, load) {
  const key = `${type}:${id}`;
  try {
    const text = await command('get', key);
    if (text !== null) {
      measured.hits.inc({ cache_type: type });
      return JSON.parse(text);
    }
  } catch {
    measured.errors.inc({ cache_type: type });
  }
  measured.misses.inc({ cache_type: type });
  let running = loads.get(key);
  if (!running) {
    running = loadAndStore(type, key, seconds, load).finally(() => loads.delete(key));
    loads.set(key, running);
  }
  return running;
}

async function loadAndStore(type, key, seconds, load) {
  const value = await load();
  if (value === undefined) return undefined;
  const milliseconds = Math.round(seconds * 1000 * (1 - Math.random() / 10));
  const text = JSON.stringify(value);
  await command('set', key, text, 'PX', milliseconds).catch(() => measured.errors.inc({ cache_type: type }));
  // Parsed as a later hit would be, so that a miss and a hit give the same response.
  return JSON.parse(text);
}
