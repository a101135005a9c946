//! Repeats a request or another action at a rate, and ignores its outcome. In a drill, the repeated action is the cause of the alert, or
//! the traffic that makes the cause visible.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use devstack::http::Client;

/// Longest sleep between two checks of the stop flag.
const NAP: Duration = Duration::from_millis(100);

/// Threads that act until this value is dropped.
pub struct Traffic {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Calls `send` at most `per_second` times per second, from as many threads as `connections`. `send` receives the client of its thread
    /// and the number of the call.
    pub fn start(per_second: u32, connections: u32, send: impl Fn(&Client, u32) + Send + Sync + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (send, number) = (Arc::new(send), Arc::new(AtomicU32::new(0)));
        let pause = Duration::from_secs(1) * connections / per_second;
        let one = || {
            let (over, send, number) = (over.clone(), send.clone(), number.clone());
            move || {
                let client = Client::new();
                let mut due = Instant::now();
                while !over.load(Ordering::Relaxed) {
                    let now = Instant::now();
                    if due > now {
                        thread::sleep((due - now).min(NAP));
                    } else {
                        send(&client, number.fetch_add(1, Ordering::Relaxed));
                        due = (due + pause).max(now);
                    }
                }
            }
        };
        let threads = (0..connections).map(|_| thread::spawn(one())).collect();
        Self { over, threads }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic has already been printed.
            let _ = thread.join();
        }
    }
}
