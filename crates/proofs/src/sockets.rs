//! Socket.IO clients for the proofs, with or without the official library. One process (`sockets.mjs`) holds any number of clients, so that
//! one clock times all of them. The module of each proof sends the commands and checks the results.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Result, ensure};
use devstack::http;
use devstack::paths;
use devstack::process::{check_interrupt, task};
use devstack::tools::SOCKET_IO_CLIENT;
use serde_json::Value;

/// A Node.js process that holds clients; it ends when this value is dropped.
pub struct Sockets {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Sockets {
    /// Starts a process without clients.
    pub fn start() -> Result<Self> {
        let library = SOCKET_IO_CLIENT.path()?;
        let library = library.parent().context("the library has no folder")?;
        let mut process = task("node")
            .arg(paths::root().join("crates/proofs/src/sockets.mjs"))
            .env("SOCKET_IO_CLIENT", library)
            // Set only if the edge has a certificate authority of its own.
            .envs(http::trusted().map(|root| ("NODE_EXTRA_CA_CERTS", root)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start node")?;
        let commands = process.stdin.take().context("node has no input")?;
        let answers = BufReader::new(process.stdout.take().context("node has no output")?);
        Ok(Self { process, commands, answers })
    }

    /// Sends a command and returns its result.
    pub fn ask(&mut self, command: &Value) -> Result<Value> {
        writeln!(self.commands, "{command}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        check_interrupt()?;
        let answer: Value = serde_json::from_str(&line).with_context(|| format!("the process of the clients exited: {line}"))?;
        ensure!(answer["error"].is_null(), "{answer}");
        Ok(answer)
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}
