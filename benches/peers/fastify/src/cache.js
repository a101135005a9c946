// A cache in Redis. The process runs at most one load per key at a time. While Redis is unavailable, requests still succeed. Missing
// values are not cached.
import { cache as measured } from './metrics.js';
import { command } from './stores.js';

const loads = new Map();

/** Returns the cached value if there is one. Otherwise caches the result of `load` for `seconds` minus a random part of up to a tenth, and
 * returns it. The random part prevents entries that were stored together from expiring together. */
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
  // A hit returns parsed JSON. A miss must do the same, so that both give an identical response.
  return JSON.parse(text);
}
