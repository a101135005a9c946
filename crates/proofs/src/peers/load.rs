//! Sends the load with wrk, which uses so little CPU that one thread is enough. Debian has a package of wrk.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use devstack::process::{capture_ok, task};
use devstack::tools::WRK;
use serde::Deserialize;

use super::cases::Case;

const REPORT: &str = include_str!("wrk.lua");
/// Every project has a different name, so that its slug is free.
const CREATE: &str = r#"
function request()
  number = number + 1
  local body = string.format('{"name":"Load %s number %d","description":"One of many, with a line of text."}', run, number)
  return wrk.format("POST", nil, nil, body)
end
"#;

/// The figures of one run of wrk.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Figures {
    /// Number of responses of any status.
    pub requests: f64,
    /// Duration of the run, in microseconds.
    pub micros: f64,
    /// Bytes received.
    pub bytes: f64,
    /// 99th percentile of the response time, in microseconds.
    pub p99_micros: f64,
    /// Number of responses with a status of 400 or more.
    pub refused: f64,
    /// Number of failures to connect, read or write, and of time-outs.
    pub failed: f64,
}

impl Figures {
    fn parse(text: &str) -> Result<Self> {
        let line =
            text.lines().find(|line| line.starts_with("{\"requests\"")).with_context(|| format!("wrk printed no figures:\n{text}"))?;
        serde_json::from_str(line).with_context(|| format!("failed to parse wrk's figures: {line}"))
    }

    /// Fails when the run has no responses, an error response or a failed request.
    fn check(self, what: &str) -> Result<Self> {
        ensure!(self.requests > 0.0, "{what} received no response");
        ensure!(self.refused == 0.0, "{what}: {} of {} responses were errors", self.refused, self.requests);
        ensure!(self.failed == 0.0, "{what}: {} requests failed", self.failed);
        Ok(self)
    }
}

/// The Lua scripts of wrk, in a folder.
pub struct Scripts {
    folder: PathBuf,
}

impl Scripts {
    /// Writes the scripts.
    pub fn write(folder: &Path) -> Result<Self> {
        fs::write(folder.join("read.lua"), REPORT)?;
        fs::write(folder.join("create.lua"), format!("{REPORT}{CREATE}"))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Sends the requests of a case to a service for some seconds. wrk runs on the cores of this process, not on the server's.
    pub fn run(&self, url: &str, token: &str, case: Case, seconds: u32, target: &str) -> Result<Figures> {
        let script = if case == Case::Create { "create.lua" } else { "read.lua" };
        self.send(script, &format!("{url}{}", case.path()), token, (case.connections(), seconds), &format!("{} of {target}", case.name()))
    }

    /// Sends GET requests over this many connections for some seconds. wrk runs on the cores of this process, not on the server's.
    pub fn read(&self, url: &str, token: &str, connections: u32, seconds: u32) -> Result<Figures> {
        self.send("read.lua", url, token, (connections, seconds), url)
    }

    fn send(&self, script: &str, url: &str, token: &str, (connections, seconds): (u32, u32), what: &str) -> Result<Figures> {
        let unique = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros().to_string();
        let mut wrk = task(WRK.path()?);
        wrk.args(["--threads", "1", "--timeout", "5s"])
            .args(["--connections", &connections.to_string(), "--duration", &format!("{seconds}s")])
            .arg("--script")
            .arg(self.folder.join(script))
            .args(["--header", &format!("authorization: Bearer {token}"), "--header", "content-type: application/json"])
            .arg(url)
            .args(["--", &unique]);
        Figures::parse(&capture_ok(&mut wrk)?)?.check(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"requests":200,"micros":1000000,"bytes":4000,"p99_micros":1500,"refused":0,"failed":0}"#;

    #[test]
    fn figures_are_parsed_from_the_output_of_wrk() {
        let figures = Figures::parse(&format!("Running 1s test\n{LINE}\nRequests/sec: 200\n")).unwrap();
        assert!((figures.requests - 200.0).abs() < f64::EPSILON);
        let error = Figures::parse("unable to connect").unwrap_err().to_string();
        assert!(error.contains("unable to connect"), "{error}");
    }

    #[test]
    fn a_run_without_responses_or_with_failures_is_an_error() {
        let refusal = |from: &str, to: &str| {
            let figures = Figures::parse(&LINE.replace(from, to)).unwrap();
            figures.check("GET /health of fastify").unwrap_err().to_string()
        };
        assert_eq!(refusal("200", "0"), "GET /health of fastify received no response");
        assert_eq!(refusal("\"refused\":0", "\"refused\":7"), "GET /health of fastify: 7 of 200 responses were errors");
        assert_eq!(refusal("\"failed\":0", "\"failed\":1"), "GET /health of fastify: 1 requests failed");
    }
}
