// The connection: reports its state, and reconnects in cases where the library does not.

import { io, type Socket } from 'socket.io-client';

import { isActing } from '../dom';
import { loginAddress } from '../page';
import type { ServerEvents, ClientEvents } from './protocol';

export type Live = Socket<ServerEvents, ClientEvents>;
export type State = 'connected' | 'disconnected' | 'moving';

/** Delay before a reconnect, in milliseconds, when the service announced none. */
const LATER = 5_000;

/** Creates the connection without opening it, so that listeners can register first. */
export function connect(onState: (state: State, why?: string) => void): Live {
  const socket: Live = io({ autoConnect: false, transports: ['websocket', 'polling'], tryAllTransports: true });
  let again = 0;
  const forget = (): void => {
    clearTimeout(again);
    again = 0;
  };
  // Keeps a reconnect that is already scheduled, because its delay may come from the service.
  const connectIn = (milliseconds: number): void => {
    again ||= window.setTimeout(() => {
      forget();
      socket.disconnect().connect();
    }, milliseconds);
  };

  socket.on('connect', () => {
    forget();
    onState('connected');
  });
  socket.on('connect_error', ({ message }) => {
    if (message === 'unauthenticated' || message === 'invalid_token') {
      location.assign(loginAddress());
    } else {
      onState('disconnected', message);
      if (!socket.active) {
        connectIn(LATER);
      }
    }
  });
  socket.on('disconnect', (reason) => {
    if (reason === 'io client disconnect') {
      return;
    }
    onState('disconnected');
    if (!socket.active) {
      connectIn(LATER);
    }
  });
  // The replica is draining. The edge already knows, so a new connection goes to another replica.
  socket.on('server:draining', ({ reconnect_after_ms }) => {
    onState('moving');
    connectIn(reconnect_after_ms);
  });
  // An action in progress may be this page's own sign-out, which leaves the page by itself. If the action does not leave the page, the
  // next connection attempt is rejected and leads to the sign-in page.
  socket.on('logout', () => {
    if (!isActing()) {
      forget();
      socket.disconnect();
      location.assign('/login?ended=1');
    }
  });
  return socket;
}
