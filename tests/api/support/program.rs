//! The real binary, as an operator starts it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};

use super::{Stores, eventually};

/// `vitrine` with only these variables in its environment.
pub fn vitrine(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

/// Runs `vitrine` until it exits.
pub fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    vitrine(arguments, variables).output().unwrap()
}

/// Standard output, then standard error.
pub fn output_text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A replica in a process of its own; killed when dropped.
pub struct Program {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    pub address: SocketAddr,
}

impl Program {
    /// Starts a replica on a free port and waits until it logs its address.
    pub async fn serve(stores: &Stores, variables: &[(&str, &str)]) -> Self {
        let (database, redis) = (stores.database_url(), stores.redis_url());
        let standard = [
            ("LISTEN_ADDRESS", "127.0.0.1:0"),
            ("DATABASE_URL", database.as_str()),
            ("REDIS_URL", redis.as_str()),
            ("REDIS_KEY_PREFIX", stores.prefix()),
        ];
        let mut child =
            vitrine(&["serve"], &[&standard, variables].concat()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (output, lines) = (BufReader::new(child.stdout.take().unwrap()), Arc::new(Mutex::new(Vec::new())));
        let written = lines.clone();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                written.lock().unwrap().push(line);
            }
        });
        let address = eventually("the program logs its address", async || {
            let lines = lines.lock().unwrap();
            let line: serde_json::Value = lines
                .iter()
                .find_map(|line| serde_json::from_str(line).ok().filter(|line: &serde_json::Value| line["body"] == "listening"))?;
            line["attributes"]["address"].as_str()?.parse().ok()
        })
        .await;
        Self { child, lines, address }
    }

    /// Sends the signal with this name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until the process has exited, without killing it.
    pub async fn end(&mut self) -> ExitStatus {
        eventually("the program exits", async || self.child.try_wait().unwrap()).await
    }

    /// The replica's log so far.
    pub fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
