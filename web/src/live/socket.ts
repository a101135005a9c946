// The connection: who is told of its state, and when it is tried again although the library would not.

import { io, type Socket } from 'socket.io-client';

import { isActing } from '../dom';
import { loginAddress } from '../page';
import type { Heard, Said } from './protocol';

export type Live = Socket<Heard, Said>;
export type State = 'connected' | 'away' | 'moving';

/** How long to wait where the service has not said. */
const LATER = 5_000;

/** A connection that is not opened yet, so that nothing is missed by whoever listens to it. */
export function connect(tell: (state: State, why?: string) => void): Live {
  const socket: Live = io({ autoConnect: false, transports: ['websocket', 'polling'], tryAllTransports: true });
  let again = 0;
  const forget = (): void => {
    clearTimeout(again);
    again = 0;
  };
  // What is planned already stays: the service knows better than this page when it is time.
  const connectIn = (milliseconds: number): void => {
    again ||= window.setTimeout(() => {
      forget();
      socket.disconnect().connect();
    }, milliseconds);
  };

  socket.on('connect', () => {
    forget();
    tell('connected');
  });
  socket.on('connect_error', ({ message }) => {
    if (message === 'unauthenticated' || message === 'invalid_token') {
      location.assign(loginAddress());
    } else {
      tell('away', message);
      if (!socket.active) {
        connectIn(LATER);
      }
    }
  });
  socket.on('disconnect', (reason) => {
    if (reason === 'io client disconnect') {
      return;
    }
    tell('away');
    if (!socket.active) {
      connectIn(LATER);
    }
  });
  // The replica leaves: the edge already knows, so a new connection goes to another one.
  socket.on('server:draining', ({ reconnect_after_ms }) => {
    tell('moving');
    connectIn(reconnect_after_ms);
  });
  // Who signs out on this very page is led on by that; if not, the next connection is refused and leads to the login.
  socket.on('logout', () => {
    if (!isActing()) {
      forget();
      socket.disconnect();
      location.assign('/login?ended=1');
    }
  });
  return socket;
}
