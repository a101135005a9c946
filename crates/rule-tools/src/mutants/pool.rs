//! Processes many items, at most two at a time: the work on an item runs external programs, and other work on the machine needs CPU time,
//! too.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, anyhow};

const MAX_WORKERS: usize = 2;

/// The results in the order of the items, or an error. After an error, no worker begins another item.
pub fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return Ok(done) };
            let result = work(item).inspect_err(|_| next.store(items.len(), Ordering::Relaxed))?;
            done.push((at, result));
        }
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_WORKERS);
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        let results = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a worker panicked"))?);
        results.collect::<Result<Vec<Vec<_>>>>()
    })?
    .into_iter()
    .flatten()
    .collect();
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};

    use anyhow::bail;

    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items() {
        let doubled = each(&(0..100).collect::<Vec<_>>(), |number| Ok(number * 2)).unwrap();
        assert_eq!(doubled, (0..100).map(|number| number * 2).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_stops_the_pool() {
        thread_local!(static UNTIL_THE_END: RefCell<Option<Sender<()>>> = const { RefCell::new(None) });
        let (sender, receiver) = channel();
        let (sender, receiver) = (Mutex::new(Some(sender)), Mutex::new(receiver));
        let begun = AtomicUsize::new(0);
        let result = each(&[1, 2, 3], |number| {
            begun.fetch_add(1, Ordering::Relaxed);
            if *number == 1 {
                UNTIL_THE_END.set(sender.lock().unwrap().take());
                bail!("one");
            }
            // `recv` fails when the thread that processed the first item ends, because the thread drops the sender.
            receiver.lock().unwrap().recv().unwrap_err();
            Ok(())
        });
        assert_eq!(result.unwrap_err().to_string(), "one");
        assert!(begun.into_inner() < 3);
    }
}
