// Compares objects of operators with the schemas of @kubernetes-models. Arguments: a JSON file with a list of objects, then the folders of
// the packages. The last line has the totals.
//
// Like the API of Kubernetes, the generated checks ignore unknown fields, which are usually misspelled. But they read every field that they
// know. So each object is wrapped in a proxy that records what is read, and a field that is never read is unknown.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [file, ...folders] = process.argv.slice(2);
/** API groups, and the package of each. */
const PACKAGES = { 'monitoring.coreos.com': 'prometheus-operator', 'external-secrets.io': 'external-secrets' };

/** Wrong findings: the package requires these fields, the operator does not. */
const WRONG = ['apiVersion', 'kind'].map((name) => `data/spec/storage/volumeClaimTemplate must have required property ${name}`);

/** The value, wrapped; `unread` gets the path of each field and loses it when the field is read. */
function watched(value, path, unread) {
  if (typeof value !== 'object' || value === null) return value;
  const isField = (key) => typeof key === 'string' && Object.hasOwn(value, key);
  if (!Array.isArray(value)) for (const key of Object.keys(value)) unread.add(`${path}.${key}`);
  const inner = new Map();
  return new Proxy(value, {
    get(target, key) {
      if (!isField(key)) return target[key];
      unread.delete(`${path}.${key}`);
      if (!inner.has(key)) inner.set(key, watched(target[key], `${path}.${key}`, unread));
      return inner.get(key);
    },
  });
}

/** What is wrong with an object. */
async function findings(object) {
  const [group, version] = object.apiVersion.split('/');
  const folder = folders.find((folder) => basename(folder) === PACKAGES[group]);
  const module = await import(pathToFileURL(join(folder, group, version, `${object.kind}.js`)));
  const unread = new Set();
  const found = [];
  try {
    module[object.kind].prototype.validate.call(watched(object, '', unread));
  } catch (error) {
    found.push(...error.message.split(', ').filter((finding) => !WRONG.includes(finding)));
  }
  return [...found, ...[...unread].map((path) => `unknown field ${path}`)];
}

let [passed, failed] = [0, 0];
for (const object of JSON.parse(readFileSync(file, 'utf8'))) {
  const found = await findings(object);
  for (const finding of found) console.log(`${object.kind} ${object.metadata.name}: ${finding}`);
  found.length === 0 ? passed++ : failed++;
}
console.log(`${passed} passed, ${failed} failed`);
