// Queries of figures that several dashboards show.

import { answered, byClass, from, inShownTime, orNone, orZero, ours, quantile, rate, ratio, requests, sum } from './queries.js';

/** Client requests per second. */
export const requestRate = sum(rate(requests('http_requests_total')));

/** Client requests per second, by status class. */
export const requestRateByClass = byClass(rate(requests('http_requests_total')));

/** Client requests in the selected time range, by status class. */
export const requestsByClass = byClass(inShownTime(requests('http_requests_total')));

/** Among client requests that were answered, the share with one of these statuses, such as `5..`. */
export const shareWithStatus = (statuses: string) =>
  orZero(ratio(sum(rate(answered(`status=~"${statuses}"`))), sum(rate(answered()))));

/** 95 % of client requests are answered within this time. */
export const latencyP95 = orZero(quantile(0.95, requests('http_request_duration_seconds')));

/** Requests in progress, on all routes. */
export const inFlight = sum(ours('http_requests_in_flight'));

/** CPU use of each replica, as a share of its cores; a replica has one worker thread per core. */
export const cpuByReplica = `${rate(ours('process_cpu_seconds_total'))} / ${ours('runtime_workers')}`;

/** Resident memory of each replica. */
export const memoryByReplica = ours('process_resident_memory_bytes');

/** Alerts that fire, without Watchdog, which always fires. */
export const alertsFiring = orZero('count(ALERTS{alertstate="firing", alertname!="Watchdog"})');

/** Share of cache reads that found an entry, by type. */
export const cacheHitRate = orNone('max by (cache_type) (cache_type:cache_hits:ratio_rate5m)', 'cache_type');

/** Whether each target responds to scrapes. */
export const EVERY_TARGET = 'up{job=~".+"}';

/** Targets that do not respond. */
export const targetsDown = orZero(`count(${EVERY_TARGET} == 0)`);

/** A metric of the machine. */
export const node = (metric: string, ...matchers: string[]) => from('node', metric, ...matchers);

const idle = rate(node('node_cpu_seconds_total', 'mode="idle"'));

/** Share of the machine's CPU cores in use, and the part used by the replicas and the edge. */
export const machineCpu = {
  machine: `1 - avg(${idle})`,
  service: `${sum(rate('process_cpu_seconds_total{job=~"backend|caddy"}'))} / scalar(count(${idle}))`,
};

/** Resident memory of all replicas together. */
export const replicasMemory = sum(from('backend', 'process_resident_memory_bytes'));

/** Free share of each disk. */
export const diskFree = `${node('node_filesystem_avail_bytes', 'fstype!="tmpfs"')} / ${node('node_filesystem_size_bytes', 'fstype!="tmpfs"')}`;

/** Free share of the fullest disk. */
export const fullestDisk = `min(${diskFree})`;
