//! Runs a script in a container, and kills the script when its caller no longer waits.

use std::time::Duration;

use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures_util::StreamExt;

use super::super::{DriverError, Exit, OUTPUT_LIMIT, Script};
use super::error::not_running;

/// Runs `$1`, unless `$2` names a program that does not exist. When the caller disconnects, the engine does not end this shell, but it
/// closes the shell's standard input. The watcher then reads the end of the input and kills the process group: the shell, the script, its
/// children and the watcher itself.
const RUN: &str = r#"if [ -n "$2" ] && ! command -v "$2" >/dev/null 2>&1; then
    printf '%s is not in this image' "$2"
    exit 127
fi
exec 3<&0
{ read -r _ <&3; kill -s KILL 0; } >/dev/null 2>&1 &
watcher=$!
sh -c "$1" </dev/null 3<&-
code=$?
kill "$watcher"
exit "$code""#;

/// Interval between requests for the exit code, which the engine may report only some time after the end of the output.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs a script to completion. Kills the script if the future is dropped.
pub async fn run(client: &bollard::Docker, container: &str, script: &Script) -> Result<Exit, DriverError> {
    let command = ["sh", "-c", RUN, "sh", script.text, script.requires.unwrap_or_default()];
    let config = ExecConfig {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(command.map(str::to_owned).to_vec()),
        ..ExecConfig::default()
    };
    let id = client.create_exec(container, config).await.map_err(not_running)?.id;
    let mut tail = Tail::default();
    match client.start_exec(&id, None::<StartExecOptions>).await.map_err(not_running)? {
        StartExecResults::Attached { mut output, input } => {
            while let Some(piece) = output.next().await {
                tail.add(&piece?.into_bytes());
            }
            drop(input);
        }
        StartExecResults::Detached => return Err(DriverError::Failed("the script was started detached".to_owned())),
    }
    loop {
        let ended = client.inspect_exec(&id).await?;
        if let (Some(code), Some(false)) = (ended.exit_code, ended.running) {
            return Ok(Exit { code, output: tail.text() });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Keeps the last [`OUTPUT_LIMIT`] bytes.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn add(&mut self, piece: &[u8]) {
        self.0.extend_from_slice(&piece[piece.len().saturating_sub(OUTPUT_LIMIT)..]);
        self.0.drain(..self.0.len().saturating_sub(OUTPUT_LIMIT));
    }

    /// The text without control characters, which could move a cursor or be refused by the database. Tabs and newlines are kept.
    fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.0).into_owned();
        text.retain(|c| matches!(c, '\t' | '\n') || !c.is_control());
        let start = text.ceil_char_boundary(text.len().saturating_sub(OUTPUT_LIMIT));
        text.split_off(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_output_is_kept() {
        let mut tail = Tail::default();
        tail.add(&b"x".repeat(3 * OUTPUT_LIMIT));
        tail.add("\u{1b}[31mno\0 space\n".as_bytes());
        assert_eq!(tail.0.len(), OUTPUT_LIMIT);
        assert!(tail.text().ends_with("x[31mno space\n"), "{}", tail.text());
    }

    #[test]
    fn binary_output_stays_within_its_limit() {
        let mut tail = Tail::default();
        tail.add(&b"\xff".repeat(OUTPUT_LIMIT));
        assert!(tail.text().len() <= OUTPUT_LIMIT);
        assert!(tail.text().ends_with('\u{fffd}'));
    }
}
