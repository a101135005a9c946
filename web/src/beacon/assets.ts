// Reports the load time of the service's static assets.

import { report, type AssetType } from './queue';

const types: Readonly<Record<string, AssetType>> = { js: 'script', css: 'style', woff2: 'font', svg: 'image', png: 'image' };

/** Reports assets that have loaded already and those that load later. */
export function startAssets(): void {
  const observer = new PerformanceObserver((list) => {
    for (const { name, duration } of list.getEntries()) {
      const { origin, pathname } = new URL(name);
      const type = types[pathname.split('.').pop() ?? ''];
      if (type && origin === location.origin) {
        report({ kind: 'asset', type, value: duration });
      }
    }
  });
  observer.observe({ type: 'resource', buffered: true });
}
