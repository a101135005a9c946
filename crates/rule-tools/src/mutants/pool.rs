//! Processes many items, at most two at a time: the work waits for external programs, and other people use this machine, too.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, anyhow};

const MAX_WORKERS: usize = 2;

/// The results in the order of the items, or the first error.
pub fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return Ok(done) };
            done.push((at, work(item)?));
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
    use super::*;
    use anyhow::ensure;

    #[test]
    fn results_keep_the_order_of_the_items() {
        let doubled = each(&(0..100).collect::<Vec<_>>(), |number| Ok(number * 2)).unwrap();
        assert_eq!(doubled, (0..100).map(|number| number * 2).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_stops_the_pool() {
        let result = each(&[1, 2, 3], |number| {
            ensure!(*number < 3, "three");
            Ok(())
        });
        assert_eq!(result.unwrap_err().to_string(), "three");
    }
}
