// Reports how long the browser took to load each static asset of the service.

import { report, type AssetType } from './queue';

const typesByExtension: Readonly<Record<string, AssetType>> = { js: 'script', css: 'style', woff2: 'font', svg: 'image', png: 'image' };

/** Reports the assets that are already loaded, and then each further one. */
export function startAssets(): void {
  const observer = new PerformanceObserver((list) => {
    for (const { name, duration } of list.getEntries()) {
      const { origin, pathname } = new URL(name);
      const type = typesByExtension[pathname.split('.').pop() ?? ''];
      if (type && origin === location.origin) {
        report({ kind: 'asset', type, value: duration });
      }
    }
  });
  observer.observe({ type: 'resource', buffered: true });
}
