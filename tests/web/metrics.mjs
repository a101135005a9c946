// Metrics summed over all replicas. Like Prometheus, `scrape` reads each replica directly, not through the edge.

/** Scrapes all replicas. */
export async function scrape(replicas) {
  const texts = await Promise.all(replicas.map(async (replica) => (await fetch(`${replica}/metrics`)).text()));
  const series = texts.flatMap((text) => text.split('\n')).map(parse).filter(Boolean);
  return new Counts(series);
}

function parse(line) {
  const [, name, labels, value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (!name) return undefined;
  const pairs = [...(labels ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label, text]);
  return { name, labels: Object.fromEntries(pairs), value: Number(value) };
}

class Counts {
  #series;

  constructor(series) {
    this.#series = series;
  }

  /** The sum of a metric's series with these labels. */
  of(name, labels = {}) {
    const fits = (series) => series.name === name && Object.entries(labels).every(([label, text]) => series.labels[label] === text);
    return this.#series.filter(fits).reduce((sum, { value }) => sum + value, 0);
  }
}
