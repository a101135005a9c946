//! Requests internal paths over HTTP/2, in every spelling that HTTP/2 can carry. The edge offers HTTP/2 only over HTTPS, which requires
//! a site with a host name. curl sends each spelling unchanged.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};
use devstack::http::trusted;
use devstack::paths;
use devstack::process::{capture, task};
use devstack::tools::CURL;

use super::spellings;

/// The responses to the spellings of paths: each request target with its protocol version and its status.
pub fn responses<'a>(edge: &str, paths: impl Iterator<Item = &'a str>) -> Result<Vec<(String, String)>> {
    let root = trusted().context("no certificate authority of the edge is trusted")?;
    // HTTP/2 has no request line. Its `:path` must begin with a slash and be ASCII, so other targets are left out.
    let targets: Vec<String> = paths.flat_map(spellings::of).filter(|target| target.starts_with('/') && target.is_ascii()).collect();
    let mut config = String::new();
    for target in &targets {
        let quoted = target.replace('\\', "\\\\").replace('"', "\\\"");
        // Writing to a String cannot fail.
        let _ = writeln!(
            config,
            "url = \"{edge}/\"\nrequest-target = \"{quoted}\"\nhttp2\nsilent\nmax-time = 20\nnoproxy = \"*\"\ncacert = \"{}\"\noutput = \"/dev/null\"\nwrite-out = \"%{{http_version}} %{{http_code}}\\n\"\nnext",
            root.display()
        );
    }
    let folder = paths::temporary("http2")?;
    let file = folder.path().join("curl");
    fs::write(&file, config.trim_end_matches("next\n"))?;
    // The exit code of curl is ignored: it is that of the last request, whose stream the edge may have ended.
    let said = capture(task(CURL.path()?).arg("--config").arg(&file))?;
    let answers: Vec<String> = said.text.lines().map(str::to_owned).collect();
    ensure!(answers.len() == targets.len(), "{} responses to {} requests", answers.len(), targets.len());
    Ok(targets.into_iter().zip(answers).collect())
}
