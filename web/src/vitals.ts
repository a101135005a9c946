// Web Vitals, loaded after the page so that the measurement does not slow the page down. The browser buffers the earlier entries.

import { onCLS, onFCP, onINP, onLCP, onTTFB, type Metric } from 'web-vitals';

import type { Vital } from './beacon/queue';

/** Reports each vital once its value is final. */
export function startVitals(report: (vital: Vital, value: number) => void): void {
  const onFinal = ({ name, value }: Metric): void => report(name.toLowerCase() as Vital, value);
  onTTFB(onFinal);
  onFCP(onFinal);
  onLCP(onFinal);
  onINP(onFinal);
  onCLS(onFinal);
}
