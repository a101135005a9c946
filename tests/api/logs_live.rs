//! Live logs: a reader receives every kept line exactly once and in order, from any position and on any replica.

use std::time::Duration;

use rand::RngExt;
use uuid::Uuid;
use vitrine::features::environments::logs::{self, Entry, Live, Tail};

use crate::support::log_fixture::{Fixture, Replica};
use crate::support::{Mode, Scrape, eventually, when};

/// Time limit for a stored line to reach a reader, however busy the machine is.
const HANG: Duration = Duration::from_mins(1);

/// A reader of a log, with the entries that it has received.
struct Reader {
    tail: Tail,
    begin: i64,
    given: Vec<Entry>,
}

impl Reader {
    fn begin(live: &Live, environment: Uuid, after: i64) -> Self {
        Self { tail: live.follow(environment, Some(after)), begin: after, given: Vec::new() }
    }

    fn last(&self) -> i64 {
        self.given.last().map_or(self.begin, |entry| entry.seq)
    }

    async fn read(&mut self) {
        let entries = tokio::time::timeout(HANG, self.tail.next()).await.expect("no more lines arrived");
        assert!((1..=200).contains(&entries.len()), "{}", entries.len());
        self.given.extend_from_slice(&entries);
    }

    /// Reads until the entry with the number `last`, or a later one, has arrived.
    async fn read_to(&mut self, last: i64) {
        while self.last() < last {
            self.read().await;
        }
    }

    /// Continues after the last received entry, on the replica of `live`.
    fn turn_to(&mut self, live: &Live, environment: Uuid) {
        self.tail = live.follow(environment, Some(self.last()));
    }

    /// Asserts that the reader received every entry from its starting position to the last received one, once and in order.
    fn assert_whole(&self) {
        let numbers: Vec<i64> = self.given.iter().map(|entry| entry.seq).collect();
        assert_eq!(numbers, (self.begin + 1..=self.last()).collect::<Vec<_>>());
    }
}

fn reads(replica: &Replica) -> f64 {
    reads_of(&replica.scrape())
}

fn reads_of(scrape: &Scrape) -> f64 {
    scrape.get("db_queries_total", &[("operation", "select"), ("table", "log_entries")])
}

/// A replica that stores no lines of the environment. The log has only the lines that the test appends.
fn quiet(fixture: &Fixture) -> Replica {
    fixture.replica(&[]).kill()
}

/// Appends system lines in one transaction.
async fn append(fixture: &Fixture, lines: usize) {
    let mut tx = fixture.db.begin().await.unwrap();
    for line in 0..lines {
        logs::append_system(&mut tx, fixture.environment(), &format!("line {line}")).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn readers_that_move_between_replicas_receive_every_line_once() {
    let fixture = Fixture::new(2, 300, &[]).await;
    let replicas = [fixture.replica(&[]), fixture.replica(&[]), fixture.replica(&[])];
    let environment = fixture.environment();
    fixture.until_stored(environment, 200).await;
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (after, lives) = (rand::rng().random_range(0..=250), replicas.each_ref().map(|replica| replica.live.clone()));
        readers.spawn(async move {
            let mut reader = Reader::begin(&lives[rand::rng().random_range(0..3)], environment, after);
            for stay in [1, 100, 1, 500, 2] {
                reader.read_to(reader.last() + stay).await;
                reader.turn_to(&lives[rand::rng().random_range(0..3)], environment);
            }
            reader
        });
        // Lets the reader start while the replicas store lines.
        tokio::task::yield_now().await;
    }
    let mut readers: Vec<Reader> = readers.join_all().await;
    fixture.assert_complete(&replicas.each_ref()).await;
    let (numbers, stored) = fixture.stored(environment).await;
    for reader in &mut readers {
        reader.read_to(*numbers.end()).await;
        reader.assert_whole();
        let texts = reader.given.iter().map(|entry| (entry.stream, entry.line.clone()));
        assert!(texts.eq(stored[usize::try_from(reader.begin).unwrap()..].iter().cloned()), "received and stored lines differ");
    }
}

#[tokio::test]
async fn without_a_number_a_reader_begins_near_the_end() {
    let fixture = Fixture::new(1, 1, &[]).await;
    let replica = quiet(&fixture);
    let mut empty = replica.live.follow(fixture.environment(), None);
    let (first, ()) = tokio::join!(empty.next(), append(&fixture, 1));
    assert_eq!(first[0].seq, 1, "a reader of an empty log must begin with its first line");
    append(&fixture, 349).await;
    let mut tail = replica.live.follow(fixture.environment(), None);
    let numbers = |entries: &[Entry]| entries.iter().map(|entry| entry.seq).collect::<Vec<_>>();
    assert_eq!(numbers(&tail.next().await), (251..=350).collect::<Vec<_>>());
    append(&fixture, 1).await;
    assert_eq!(numbers(&tail.next().await), [351]);
    // A reader may begin after an entry that does not exist yet.
    let mut early = replica.live.follow(fixture.environment(), Some(352));
    append(&fixture, 2).await;
    assert_eq!(numbers(&early.next().await), [353]);
}

#[tokio::test]
async fn many_readers_of_one_log_cost_no_more_reads_than_one() {
    let fixture = Fixture::new(1, 1, &[]).await;
    let replica = quiet(&fixture);
    append(&fixture, 10).await;
    let mut readers: Vec<Reader> = (0..50).map(|_| Reader::begin(&replica.live, fixture.environment(), 0)).collect();
    for reader in &mut readers {
        reader.read_to(10).await;
    }
    append(&fixture, 1).await;
    for reader in &mut readers {
        reader.read_to(11).await;
    }
    let (before, start) = (reads(&replica), std::time::Instant::now());
    for last in 12..=41 {
        append(&fixture, 1).await;
        replica.live.grown(&[fixture.environment(), Uuid::now_v7()]);
        for reader in &mut readers {
            reader.read_to(last).await;
        }
    }
    // The replica reads at most once for each signal (`grown`), and once for each second without a signal.
    let most = 30.0 + start.elapsed().as_secs_f64() + 1.0;
    let read = reads(&replica) - before;
    assert!((30.0..=most).contains(&read), "{read} reads, but at least 30 and at most {most} are expected");
    readers.iter().for_each(Reader::assert_whole);
}

#[tokio::test]
async fn a_slow_reader_delays_no_other_and_misses_no_line() {
    let fixture = Fixture::new(1, 1, &[]).await;
    let replica = quiet(&fixture);
    let mut readers = [Reader::begin(&replica.live, fixture.environment(), 0), Reader::begin(&replica.live, fixture.environment(), 0)];
    append(&fixture, 1).await;
    for reader in &mut readers {
        reader.read().await;
    }
    let [quick, slow] = &mut readers;
    for round in 1..=40 {
        append(&fixture, 150).await;
        replica.live.grown(&[fixture.environment()]);
        quick.read_to(1 + round * 150).await;
    }
    slow.read_to(6001).await;
    append(&fixture, 1).await;
    for reader in &mut readers {
        reader.read_to(6002).await;
        reader.assert_whole();
    }
}

#[tokio::test]
async fn a_reader_skips_lines_that_were_deleted_before_it_read_them() {
    let fixture = Fixture::new(1, 1000, &["--log-lines-kept=300"]).await;
    let environment = fixture.environment();
    let replica = fixture.replica(&[]);
    let mut late = Reader::begin(&replica.live, environment, 0);
    late.read().await;
    let mut prompt = Reader::begin(&replica.live, environment, late.last());
    let last = "SELECT last_seq FROM log_streams";
    eventually("far more lines were written than are kept", async || when(fixture.stores.count(last).await > 3000)).await;
    fixture.stop(environment).await;
    fixture.until_released().await;
    let (numbers, stored) = fixture.stored(environment).await;
    for reader in [&mut late, &mut prompt] {
        reader.read_to(*numbers.end()).await;
        assert!(reader.given.windows(2).all(|pair| pair[0].seq < pair[1].seq), "numbers must increase");
        let kept = reader.given.iter().rev().take(300).rev().map(|entry| (entry.stream, entry.line.clone()));
        assert!(kept.eq(stored.iter().cloned()), "all kept lines must arrive");
    }
    assert!(late.given.len() < 3000, "deleted lines must not arrive");
    // Readers of an emptied log wait for its next line.
    fixture.stores.execute("DELETE FROM log_entries").await;
    let mut new = Reader::begin(&replica.live, environment, 0);
    append(&fixture, 1).await;
    for reader in [&mut late, &mut prompt, &mut new] {
        reader.read().await;
        assert_eq!(reader.last(), numbers.end() + 1);
    }
}

#[tokio::test]
async fn readers_wait_for_an_unavailable_database() {
    let fixture = Fixture::new(1, 1, &[]).await;
    let (replica, postgres) = fixture.replica_behind_a_proxy().await;
    let replica = replica.kill();
    let mut readers = [Reader::begin(&replica.live, fixture.environment(), 0), Reader::begin(&replica.live, fixture.environment(), 0)];
    let mut stored = 0;
    for outage in [Mode::Refuse, Mode::Hang] {
        append(&fixture, 10).await;
        stored += 10;
        for reader in &mut readers {
            reader.read_to(stored).await;
        }
        postgres.set(outage).await;
        append(&fixture, 300).await;
        stored += 300;
        replica.live.grown(&[fixture.environment()]);
        let failed = |scrape: &Scrape| scrape.get("system_errors_total", &[("error_type", "database")]);
        let before = failed(&replica.scrape());
        eventually("the database could not be read", async || when(failed(&replica.scrape()) > before)).await;
        // A reader that starts during the outage misses no line either.
        let mut new = Reader::begin(&replica.live, fixture.environment(), 5);
        postgres.set(Mode::Pass).await;
        new.read_to(stored).await;
        new.assert_whole();
    }
    postgres.cut();
    append(&fixture, 10).await;
    for reader in &mut readers {
        reader.read_to(stored + 10).await;
        reader.assert_whole();
    }
}

#[tokio::test]
async fn a_log_is_no_longer_read_after_its_last_reader_has_left() {
    let fixture = Fixture::new(1, 1, &[]).await;
    let replica = quiet(&fixture);
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    // With 100 logs, the few other tasks make no difference.
    let (before, environments) = (tasks(), [(); 100].map(|()| Uuid::now_v7()));
    let tails = || environments.map(|environment| replica.live.follow(environment, None));
    for _ in 0..3 {
        let (first, second) = (tails(), tails());
        assert!((before + 50..before + 150).contains(&tasks()), "one task must serve both readers of a log");
        drop(first);
        eventually("logs have been read", async || when(reads(&replica) > 0.0)).await;
        assert!(tasks() > before + 50, "the tasks must stay for the remaining readers");
        drop(second);
        eventually("the tasks of the logs have ended", async || when(tasks() < before + 50)).await;
    }
}
