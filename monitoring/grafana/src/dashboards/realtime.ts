// Socket.IO: connections, events, their delay between replicas, and lost events.

import { BAD, BY_QUANTILE, GOOD, low, none, WARNING } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { heatmap, stat, stateTimeline, timeSeries } from '../panels.js';
import { buckets, min, orNone, orZero, ours, part, perMinute, quantile, rate, ratio, sum } from '../queries.js';
import { instance } from '../variables.js';

const received = ours('websocket_messages_total', 'direction="in"');
const sent = ours('websocket_messages_total', 'direction="out"');
/** Excludes clients that vanish (`heartbeat`, `transport`): the service did not fail. */
const errors = ours('websocket_errors_total', 'error_type!~"heartbeat|transport"');

export const realtime = dashboard('realtime', {
  title: 'Realtime',
  folder: 'service',
  description: 'Do events reach all clients, on every replica, and in time?',
  variables: [instance],
  rows: [
    row(
      'Now',
      stat({
        title: 'Bus',
        description:
          'Whether every replica receives its own messages over the bus. Good: connected. Events between a disconnected replica and the others are lost.',
        unit: 'none',
        query: orZero(`min(${ours('websocket_adapter_connected')})`),
        words: { 0: ['Disconnected', BAD], 1: ['Connected', GOOD] },
        alert: 'RealtimeAdapterDisconnected',
        movedBy: 'redis-away',
      }),
      stat({
        title: 'Connections',
        description: 'Open Socket.IO connections. Good: follows the number of users.',
        unit: 'none',
        query: sum(ours('websocket_connections_active')),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Fan-out p99',
        description: '99 % of events reach another replica within this time. Good: below 100 ms; the objective is 1 s.',
        unit: 's',
        query: orZero(quantile(0.99, ours('websocket_fanout_seconds'))),
        limits: low(0.25, 1),
        alert: 'RealtimeFanoutSlow',
        movedBy: 'busy',
      }),
      stat({
        title: 'Events received',
        description: 'Events received from clients per second. Good: follows connections.',
        unit: 'cps',
        query: sum(rate(received)),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Events sent',
        description: 'Events sent to clients per second, counted per client. Good: more than clients send.',
        unit: 'cps',
        query: sum(rate(sent)),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Errors',
        description: 'Share of connection attempts and events that were refused or failed. Good: below 1 %; 5 % raises an alert.',
        unit: 'percentunit',
        query: orZero(
          ratio(sum(rate(errors)), `(${sum(rate(errors))} + ${sum(rate(ours('websocket_connections_total')))} + ${sum(rate(received))})`),
        ),
        limits: low(0.01, 0.05),
        alert: 'WebSocketErrorsHigh',
        movedBy: 'socket-errors',
      }),
      stat({
        title: 'Lost',
        description: 'Events per second that did not reach a client or another replica. Good: 0.',
        unit: 'cps',
        query: sum(rate(ours('websocket_messages_dropped_total'))),
        limits: none,
        alert: 'WebSocketMessagesDropped',
        movedBy: 'dropped-events',
      }),
      stat({
        title: 'Connects',
        description:
          'Connections accepted per minute. Good: steady; five times the rate of the hour before means that clients lost their replica, or that a client is broken.',
        unit: 'opm',
        query: perMinute(sum(rate(ours('websocket_connections_total')))),
        alert: 'WebSocketChurnHigh',
        movedBy: 'traffic',
      }),
    ),
    row(
      'Connections',
      timeSeries({
        title: 'Connections by replica',
        description: 'Open connections on each replica. Good: similar; after a restart clients reconnect within seconds.',
        unit: 'none',
        query: { '{{instance}}': sum(ours('websocket_connections_active'), 'instance') },
        stacked: true,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Connections by transport',
        description: 'Open connections by transport. Good: WebSocket; much polling indicates a proxy that blocks WebSockets.',
        unit: 'none',
        query: { '{{transport}}': sum(ours('websocket_connections_active'), 'transport') },
        stacked: true,
        colours: { '/websocket/': GOOD, '/polling/': WARNING },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Accepted by transport',
        description: 'Connections accepted per minute, by their first transport. Good: steady.',
        unit: 'opm',
        query: { '{{transport}}': perMinute(sum(rate(ours('websocket_connections_total')), 'transport')) },
        alert: 'WebSocketChurnHigh',
        colours: { '/websocket/': GOOD, '/polling/': WARNING },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Ended by reason',
        description:
          'Connections ended per minute, by reason. Good: `client`, `logout` and `transport_close`; `draining` is a restart; `flood` and `malformed_packet` are attacks or broken clients.',
        unit: 'opm',
        query: { '{{reason}}': perMinute(sum(rate(ours('websocket_disconnections_total')), 'reason')) },
        colours: { '/flood|malformed/': 'red', '/heartbeat_timeout|transport_error/': 'orange', '/draining/': 'blue', '/client/': 'green' },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Errors by type',
        description:
          'Refused and failed connections and events per minute, by type. Good: 0; `heartbeat` and `transport` are clients that vanished.',
        unit: 'opm',
        query: { '{{error_type}}': perMinute(sum(rate(ours('websocket_errors_total')), 'error_type')) },
        legend: 'right',
        alert: 'WebSocketErrorsHigh',
        shades: BAD,
        movedBy: 'socket-errors',
      }),
    ),
    row(
      'Events',
      timeSeries({
        title: 'Received by event',
        description: 'Events received from clients per second, by event. Good: `unknown` is 0.',
        unit: 'cps',
        query: { '{{event_type}}': orNone(`${sum(rate(received), 'event_type')} > 0`, 'event_type') },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Sent by event',
        description: 'Events sent to clients per second by event, counted per client. Good: follows connections.',
        unit: 'cps',
        query: { '{{event_type}}': orNone(`${sum(rate(sent), 'event_type')} > 0`, 'event_type') },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Event handling p95',
        description: '95 % of client events are handled within this time, by event. Good: below 100 ms.',
        unit: 's',
        query: { '{{event_type}}': orNone(quantile(0.95, ours('websocket_handler_duration_seconds'), 'event_type'), 'event_type') },
        legend: 'right',
        limits: low(0.1, 1),
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Lost by reason',
        description:
          'Events per minute that did not reach a client or another replica, by reason. Good: 0; `slow_consumer` is a client that reads too slowly.',
        unit: 'cpm',
        query: { '{{reason}}': perMinute(sum(rate(ours('websocket_messages_dropped_total')), 'reason')) },
        legend: 'right',
        alert: 'WebSocketMessagesDropped',
        shades: BAD,
        movedBy: 'dropped-events',
      }),
    ),
    row(
      'Between replicas',
      timeSeries({
        title: 'Fan-out',
        description:
          'Delay of events between replicas, measured by a canary every second. Good: a few milliseconds; the objective is 1 s (dashed).',
        unit: 's',
        query: {
          p50: orZero(quantile(0.5, ours('websocket_fanout_seconds'))),
          p95: orZero(quantile(0.95, ours('websocket_fanout_seconds'))),
          p99: orZero(quantile(0.99, ours('websocket_fanout_seconds'))),
        },
        colours: BY_QUANTILE,
        limits: low(0.25, 1),
        alert: 'RealtimeFanoutSlow',
        movedBy: 'busy',
      }),
      heatmap({
        title: 'Fan-out distribution',
        description: 'Number of replies to canaries by delay. Good: one band at the bottom.',
        unit: 's',
        query: buckets(ours('websocket_fanout_seconds')),
        movedBy: 'busy',
        width: 8,
      }),
      timeSeries({
        title: 'Canaries returned',
        description:
          'Replies per second from other replicas to the canaries of each replica. Good: steady; 0 means that the replica reaches no other replica over the bus.',
        unit: 'cps',
        query: { '{{instance}}': sum(rate(part(ours('websocket_fanout_seconds'), 'count')), 'instance') },
        alert: 'RealtimeAdapterDisconnected',
        movedBy: 'redis-away',
      }),
      stateTimeline({
        title: 'Bus by replica',
        description: 'When each replica received its own messages over the bus. Good: all green.',
        unit: 'none',
        query: { '{{instance}}': min(ours('websocket_adapter_connected'), 'instance') },
        words: { 0: ['disconnected', BAD], 1: ['connected', GOOD] },
        alert: 'RealtimeAdapterDisconnected',
        movedBy: 'redis-away',
      }),
      timeSeries({
        title: 'Publish latency',
        description: 'Duration of publishing to the bus. Good: at most a few milliseconds.',
        unit: 's',
        query: {
          p50: orZero(quantile(0.5, ours('redis_command_duration_seconds', 'command="publish"'))),
          p95: orZero(quantile(0.95, ours('redis_command_duration_seconds', 'command="publish"'))),
          p99: orZero(quantile(0.99, ours('redis_command_duration_seconds', 'command="publish"'))),
        },
        colours: BY_QUANTILE,
        limits: low(0.05, 0.1),
        alert: 'RedisSlow',
        more: 'database-cache',
        movedBy: 'slow-redis',
        width: 12,
      }),
    ),
  ],
});
