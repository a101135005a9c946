// Web Vitals, loaded after the page itself so that measuring does not slow what is measured: the browser keeps what happened before.

import { onCLS, onFCP, onINP, onLCP, onTTFB, type Metric } from 'web-vitals';

import type { Vital } from './beacon/queue';

/** Tells each vital when it is final. */
export function startVitals(told: (vital: Vital, value: number) => void): void {
  const tell = ({ name, value }: Metric): void => told(name.toLowerCase() as Vital, value);
  onTTFB(tell);
  onFCP(tell);
  onLCP(tell);
  onINP(tell);
  onCLS(tell);
}
