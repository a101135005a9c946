// Web Vitals, loaded after the page so that the measurement does not slow the page down. The browser buffers earlier performance
// entries, so the measurement can start late.

import { onCLS, onFCP, onINP, onLCP, onTTFB, type Metric } from 'web-vitals';

import type { Vital } from './beacon/queue';

/** Reports the vitals of the page. A vital may be reported again with a new value, such as CLS each time the page is hidden. */
export function startVitals(report: (vital: Vital, value: number) => void): void {
  const onFinal = ({ name, value }: Metric): void => report(name.toLowerCase() as Vital, value);
  onTTFB(onFinal);
  onFCP(onFinal);
  onLCP(onFinal);
  onINP(onFinal);
  onCLS(onFinal);
}
