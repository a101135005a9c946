//! Socket.IO clients for the proofs: the official ones, any number of them in one process (`sockets.mjs`), so that one clock
//! measures all. What they prove is the verbs' business.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::http;
use crate::paths;
use crate::process::{check_interrupt, task};
use crate::tools::SOCKET_IO_CLIENT;

/// A process that holds clients; it goes with the value.
pub struct Sockets {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Sockets {
    /// A process without a client.
    pub fn start() -> Result<Self> {
        let library = SOCKET_IO_CLIENT.path()?;
        let library = library.parent().context("a library lies in a folder")?;
        let mut process = task("node")
            .arg(paths::root().join("xtask/src/sockets.mjs"))
            .env("SOCKET_IO_CLIENT", library)
            // Nothing where no edge of ours has a certificate.
            .envs(http::trusted().map(|root| ("NODE_EXTRA_CA_CERTS", root)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start node")?;
        let commands = process.stdin.take().context("node has no input")?;
        let answers = BufReader::new(process.stdout.take().context("node has no output")?);
        Ok(Self { process, commands, answers })
    }

    /// Has it do something; answers what it says of that.
    pub fn ask(&mut self, command: &Value) -> Result<Value> {
        writeln!(self.commands, "{command}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        check_interrupt()?;
        let answer: Value = serde_json::from_str(&line).with_context(|| format!("the clients ended: {line}"))?;
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
