// Sockets: who is connected, what is said, how fast it crosses the fleet, what is lost.

import { BAD, BY_QUANTILE, GOOD, low, none, WARNING } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { heatmap, stat, stateTimeline, timeSeries } from '../panels.js';
import { buckets, min, orNone, orZero, ours, part, perMinute, quantile, rate, ratio, sum } from '../queries.js';
import { instance } from '../variables.js';

const heard = ours('websocket_messages_total', 'direction="in"');
const said = ours('websocket_messages_total', 'direction="out"');
/** Clients that vanish are no errors of anybody. */
const errors = ours('websocket_errors_total', 'error_type!~"heartbeat|transport"');

export const realtime = dashboard('realtime', {
  title: 'Realtime',
  description: 'Do events reach everybody, on whichever replica they are, and in time?',
  variables: [instance],
  rows: [
    row(
      'Now',
      stat({
        title: 'Bus',
        description:
          'Whether every replica hears on the bus what it says there itself. Good: connected. Away: clients of other replicas hear nothing.',
        unit: 'none',
        query: orZero(`min(${ours('websocket_adapter_connected')})`),
        words: { 0: ['Away', BAD], 1: ['Connected', GOOD] },
        alert: 'RealtimeAdapterDisconnected',
        movedBy: 'redis-away',
      }),
      stat({
        title: 'Connections',
        description: 'Sockets that are open. Good: follows the number of users.',
        unit: 'none',
        query: sum(ours('websocket_connections_active')),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Fan-out p99',
        description: 'Of 100 events, 99 reach another replica within this time. Good: below 100 ms; the promise is 1 s.',
        unit: 's',
        query: orZero(quantile(0.99, ours('websocket_fanout_seconds'))),
        limits: low(0.25, 1),
        alert: 'RealtimeFanoutSlow',
        movedBy: 'busy',
      }),
      stat({
        title: 'Events heard',
        description: 'Events of clients in a second. Good: follows connections.',
        unit: 'cps',
        query: sum(rate(heard)),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Events said',
        description: 'Events put on their way to clients in a second, one for each client. Good: more than are heard.',
        unit: 'cps',
        query: sum(rate(said)),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Errors',
        description: 'Share of connections and events that were refused or failed. Good: below 1 %; 5 % is an alert.',
        unit: 'percentunit',
        query: orZero(
          ratio(sum(rate(errors)), `(${sum(rate(errors))} + ${sum(rate(ours('websocket_connections_total')))} + ${sum(rate(heard))})`),
        ),
        limits: low(0.01, 0.05),
        alert: 'WebSocketErrorsHigh',
        movedBy: 'socket-errors',
      }),
      stat({
        title: 'Lost',
        description: 'Events in a second that did not reach a client or another replica. Good: 0.',
        unit: 'cps',
        query: sum(rate(ours('websocket_messages_dropped_total'))),
        limits: none,
        alert: 'WebSocketMessagesDropped',
        movedBy: 'dropped-events',
      }),
      stat({
        title: 'Connects',
        description:
          'Sockets accepted in a minute. Good: steady; five times the hour before is a crowd that lost its replica, or a broken client.',
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
        description: 'Sockets open at each replica. Good: alike; after a restart they come back within seconds.',
        unit: 'none',
        query: { '{{instance}}': sum(ours('websocket_connections_active'), 'instance') },
        stacked: true,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Connections by transport',
        description: 'Sockets by how they are carried. Good: websocket; much polling is a proxy that lets no websocket through.',
        unit: 'none',
        query: { '{{transport}}': sum(ours('websocket_connections_active'), 'transport') },
        stacked: true,
        colours: { '/websocket/': GOOD, '/polling/': WARNING },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Accepted by transport',
        description: 'Sockets accepted in a minute, by how they began. Good: steady.',
        unit: 'opm',
        query: { '{{transport}}': perMinute(sum(rate(ours('websocket_connections_total')), 'transport')) },
        alert: 'WebSocketChurnHigh',
        colours: { '/websocket/': GOOD, '/polling/': WARNING },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Ended by reason',
        description:
          'Sockets that ended in a minute, by reason. Good: `client` and `transport_close`; `draining` is a restart, `flood` and `malformed_packet` are attacks.',
        unit: 'opm',
        query: { '{{reason}}': perMinute(sum(rate(ours('websocket_disconnections_total')), 'reason')) },
        colours: { '/flood|malformed/': 'red', '/heartbeat_timeout|transport_error/': 'orange', '/draining/': 'blue', '/client/': 'green' },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Errors by type',
        description: 'Refusals and failures in a minute, by type. Good: 0; `heartbeat` and `transport` are clients that vanished.',
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
        title: 'Heard by event',
        description: 'Events of clients in a second, by event. Good: `unknown` is 0.',
        unit: 'cps',
        query: { '{{event_type}}': orNone(`${sum(rate(heard), 'event_type')} > 0`, 'event_type') },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Said by event',
        description: 'Events put on their way to clients in a second, by event, one for each client. Good: follows connections.',
        unit: 'cps',
        query: { '{{event_type}}': orNone(`${sum(rate(said), 'event_type')} > 0`, 'event_type') },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Work on events p95',
        description: 'Of 20 events of a client, 19 are worked on within this time, by event. Good: below 100 ms.',
        unit: 's',
        query: { '{{event_type}}': orNone(quantile(0.95, ours('websocket_handler_duration_seconds'), 'event_type'), 'event_type') },
        legend: 'right',
        limits: low(0.1, 1),
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Lost by reason',
        description:
          'Events in a minute that did not reach a client or another replica, by reason. Good: 0; `slow_consumer` is a client that does not read.',
        unit: 'cpm',
        query: { '{{reason}}': perMinute(sum(rate(ours('websocket_messages_dropped_total')), 'reason')) },
        legend: 'right',
        alert: 'WebSocketMessagesDropped',
        shades: BAD,
        movedBy: 'dropped-events',
      }),
    ),
    row(
      'From replica to replica',
      timeSeries({
        title: 'Fan-out',
        description:
          'Time of an event from one replica to another, by a canary that goes each second. Good: a few milliseconds; the promise is 1 s (dashed).',
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
        title: 'How fan-out spreads',
        description: 'How many canaries took how long. Good: one band at the bottom.',
        unit: 's',
        query: buckets(ours('websocket_fanout_seconds')),
        movedBy: 'busy',
        width: 8,
      }),
      timeSeries({
        title: 'Canaries heard',
        description: 'Canaries of the other replicas that came back in a second. Good: steady; none means that a replica is deaf.',
        unit: 'cps',
        query: { '{{instance}}': sum(rate(part(ours('websocket_fanout_seconds'), 'count')), 'instance') },
        alert: 'RealtimeAdapterDisconnected',
        movedBy: 'redis-away',
      }),
      stateTimeline({
        title: 'Bus by replica',
        description: 'When which replica heard itself on the bus. Good: all green.',
        unit: 'none',
        query: { '{{instance}}': min(ours('websocket_adapter_connected'), 'instance') },
        words: { 0: ['away', BAD], 1: ['connected', GOOD] },
        alert: 'RealtimeAdapterDisconnected',
        movedBy: 'redis-away',
      }),
      timeSeries({
        title: 'What the bus costs',
        description: 'Time of publishing on the bus. Good: below a few milliseconds.',
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
