//! A TCP proxy that stands in front of a store and fails on demand: failures are real, not mocked.
//!
//! Each proxy listens on a loopback address of its own, so that no other program takes its port while it refuses connections.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use super::{eventually, own_loopback, when};

/// How a proxy behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Everything is forwarded.
    #[default]
    Pass,
    /// Nothing listens, and open connections are closed: the store was stopped.
    Refuse,
    /// Connections are accepted, but nothing is forwarded in either direction: the store is frozen, or the network drops packets.
    Hang,
    /// Holds back chunks from the store: on each connection, the first chunk that contains these bytes, and all later chunks.
    HoldAnswersWith(Vec<u8>),
    /// Each chunk is delayed by this long.
    Slow(Duration),
}

#[derive(Default)]
struct State {
    mode: Mode,
    /// Host and port of the store for new connections.
    upstream: (String, u16),
    /// Incremented to close every open connection, or to silence it permanently.
    generation: u64,
    /// A connection whose generation is lower than this becomes silent instead of being closed.
    lost_before: u64,
    listening: AtomicBool,
    /// The number of connections made so far.
    made: AtomicUsize,
    /// The number of chunks held back at this moment.
    held: AtomicUsize,
}

/// A running proxy.
pub struct Proxy {
    pub address: SocketAddr,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts in front of the store at `url`.
    pub async fn before(url: &Url, mode: Mode) -> Self {
        let listener = TcpListener::bind((own_loopback(), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, watched) = watch::channel(State { mode: mode.clone(), upstream: upstream(url), ..State::default() });
        let accepting = tokio::spawn(accept(listener, watched));
        let proxy = Self { address, state, accepting };
        proxy.settle(&mode).await;
        proxy
    }

    /// Changes the behaviour from now on.
    pub async fn set(&self, mode: Mode) {
        self.state.send_modify(|state| {
            state.generation += u64::from(mode == Mode::Refuse);
            state.mode = mode.clone();
        });
        self.settle(&mode).await;
    }

    /// Leads new connections to another store; open ones stay where they are.
    pub fn lead_to(&self, url: &Url) {
        self.state.send_modify(|state| state.upstream = upstream(url));
    }

    /// Waits until a chunk is held back.
    pub async fn until_holding(&self) {
        eventually("the proxy holds a chunk back", async || when(self.state.borrow().held.load(Ordering::Relaxed) > 0)).await;
    }

    /// Closes every open connection; new ones are served.
    pub fn cut(&self) {
        self.leave_behind(false);
    }

    /// Silences every open connection permanently, as when a firewall has lost its state; new ones are served.
    pub fn lose(&self) {
        self.leave_behind(true);
    }

    fn leave_behind(&self, silently: bool) {
        self.state.send_modify(|state| {
            state.generation += 1;
            if silently {
                state.lost_before = state.generation;
            }
        });
    }

    /// The number of connections made so far.
    pub fn connections(&self) -> usize {
        self.state.borrow().made.load(Ordering::Relaxed)
    }

    /// Waits until the accepting task has started or stopped listening.
    async fn settle(&self, mode: &Mode) {
        eventually("the proxy has changed its behaviour", async || {
            when(self.state.borrow().listening.load(Ordering::Relaxed) == (*mode != Mode::Refuse))
        })
        .await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn upstream(url: &Url) -> (String, u16) {
    (url.host_str().expect("a host").to_owned(), url.port().expect("a port"))
}

async fn accept(listener: TcpListener, mut state: watch::Receiver<State>) {
    let address = listener.local_addr().unwrap();
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (refuses, generation) = {
            let current = state.borrow_and_update();
            (current.mode == Mode::Refuse, current.generation)
        };
        if refuses {
            drop(listener.take());
            state.borrow().listening.store(false, Ordering::Relaxed);
            if state.changed().await.is_err() {
                return;
            }
            continue;
        }
        let open = match listener.take() {
            Some(open) => open,
            None => TcpListener::bind(address).await.expect("the proxy's address is in use"),
        };
        state.borrow().listening.store(true, Ordering::Relaxed);
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((client, _)) = accepted {
                    state.borrow().made.fetch_add(1, Ordering::Relaxed);
                    let upstream = state.borrow().upstream.clone();
                    connections.spawn(serve(client, upstream, generation, state.clone()));
                }
            }
            changed = state.changed() => if changed.is_err() { return },
        }
        listener = Some(open);
    }
}

async fn serve(client: TcpStream, upstream: (String, u16), generation: u64, mut state: watch::Receiver<State>) {
    let mut watched = state.clone();
    let relay = async {
        // As for a frozen store: the kernel accepts the connection, and nothing responds.
        if state.wait_for(|state| state.mode != Mode::Hang).await.is_err() {
            return;
        }
        let Ok(store) = TcpStream::connect(upstream).await else { return };
        let ((from_client, to_client), (from_store, to_store)) = (client.into_split(), store.into_split());
        tokio::select! {
            () = copy(from_client, to_store, state.clone(), |mode, _| *mode != Mode::Hang) => {}
            () = copy(from_store, to_client, state.clone(), |mode, piece| match mode {
                Mode::Hang => false,
                Mode::HoldAnswersWith(needle) => !piece.windows(needle.len()).any(|window| window == needle),
                Mode::Pass | Mode::Refuse | Mode::Slow(_) => true,
            }) => {}
        }
    };
    let mut relay = pin!(relay);
    tokio::select! {
        biased;
        is_lost = left_behind(&mut watched, generation) => {
            if is_lost {
                // The sockets stay open in the relay, which is not polled again.
                std::future::pending::<()>().await;
            }
        }
        () = relay.as_mut() => {}
    }
}

/// Waits until connections of this generation are abandoned; returns whether they become silent.
async fn left_behind(state: &mut watch::Receiver<State>, generation: u64) -> bool {
    state.wait_for(|state| state.generation != generation).await.is_ok_and(|state| state.lost_before > generation)
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>, passes: impl Fn(&Mode, &[u8]) -> bool) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        let piece = &buffer[..length];
        if !passes(&state.borrow().mode, piece) {
            state.borrow().held.fetch_add(1, Ordering::Relaxed);
            let released = state.wait_for(|state| passes(&state.mode, piece)).await.map(drop);
            state.borrow().held.fetch_sub(1, Ordering::Relaxed);
            if released.is_err() {
                return;
            }
        }
        let delay = if let Mode::Slow(delay) = state.borrow().mode { Some(delay) } else { None };
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}
