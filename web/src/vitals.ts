// Web Vitals, loaded after the page so that the measurement does not slow the page down. The browser buffers the earlier entries.

import { onCLS, onFCP, onINP, onLCP, onTTFB, type Metric } from 'web-vitals';

import type { Vital } from './beacon/queue';

/** Reports each vital once its value is final. */
export function startVitals(told: (vital: Vital, value: number) => void): void {
  const tell = ({ name, value }: Metric): void => told(name.toLowerCase() as Vital, value);
  onTTFB(tell);
  onFCP(tell);
  onLCP(tell);
  onINP(tell);
  onCLS(tell);
}
