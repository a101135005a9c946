//! The schedule of restarts of a daemon that has exited, as with `restart: unless-stopped` of Compose: each restart follows a pause, which
//! doubles each time the daemon exits soon after its start.

use std::io;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// The restarts of a daemon.
pub struct Restarts {
    /// The command that started the daemon; the new process appends to the same log.
    command: Command,
    started: Instant,
    /// The pause before the next start; doubled each time the daemon exits soon after its start.
    pause: Duration,
    /// The time of the next start; `None` while the daemon runs.
    due: Option<Instant>,
}

impl Restarts {
    const SHORTEST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_mins(1);
    /// A daemon that runs for this long has started successfully.
    const STEADY: Duration = Duration::from_secs(10);

    /// The restarts of a daemon that this command has just started.
    pub fn new(command: Command) -> Self {
        Self { command, started: Instant::now(), pause: Self::SHORTEST, due: None }
    }

    /// Whether to restart an exited daemon now; the first call after an exit returns the pause as an error.
    pub fn is_due(&mut self, now: Instant) -> Result<bool, Duration> {
        if let Some(due) = self.due {
            return Ok(now >= due);
        }
        if now.duration_since(self.started) >= Self::STEADY {
            self.pause = Self::SHORTEST;
        }
        let pause = self.pause;
        self.due = Some(now + pause);
        self.pause = (pause * 2).min(Self::LONGEST);
        Err(pause)
    }

    /// Restarts the daemon.
    pub fn start(&mut self, now: Instant) -> io::Result<Child> {
        let child = self.command.spawn()?;
        (self.started, self.due) = (now, None);
        Ok(child)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_ends_soon_waits_longer_for_each_start() {
        let mut restarts = Restarts::new(Command::new("true"));
        let mut now = restarts.started;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let pause = restarts.is_due(now).unwrap_err();
            assert_eq!(restarts.is_due(now + pause / 2), Ok(false));
            assert_eq!(restarts.is_due(now + pause), Ok(true));
            now += pause;
            restarts.start(now).unwrap().wait().unwrap();
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses[..3], [100, 200, 400]);
        assert_eq!(pauses[11], 60_000);
        assert_eq!(restarts.is_due(now + Restarts::STEADY), Err(Restarts::SHORTEST));
    }
}
