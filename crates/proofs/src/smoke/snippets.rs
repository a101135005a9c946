//! Runs commands and programs of the documents, unchanged, against the running stack. `crate::snippets` selects them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use devstack::paths;
use devstack::process::{Daemon, Process, capture, task, wait_until};
use devstack::report::Outcome;
use devstack::tools::{NODE, SOCKET_IO_CLIENT};

use crate::snippets::{Block, Proof, blocks, requests};

const LIMIT: Duration = Duration::from_secs(30);
/// A proxy from the environment must not intercept traffic to our own processes.
const OURS: &str = "localhost,127.0.0.1";
/// Prepended to every script: a 4xx or 5xx status must count as a failure, which `curl` alone does not do. A reader of its output may close
/// the pipe early (exit code 23).
const STRICT: &str = r#"
curl() {
    command curl --fail-with-body --show-error --max-time 20 "$@" || { code=$?; [ $code = 23 ] || echo "curl $*: $code" >>"$FAILED"; }
}
"#;

/// Runs all selected commands and programs.
pub fn all() -> Result<Outcome> {
    let folder = paths::temporary("snippets")?;
    let mut shell = Shell::new(folder.path())?;
    let mut passed = 0;
    for (document, blocks) in blocks()? {
        let mut going_on: Option<(Process, &str)> = None;
        for block in blocks {
            let what = || format!("{document}: {}", block.text.lines().next().unwrap_or_default());
            let begun = shell.prove(&block).with_context(what)?;
            passed += u64::from(block.proof != Proof::Elsewhere);
            if let Some((process, printed)) = going_on.take() {
                shell.wait_for(process, printed).with_context(|| format!("{document}: the program before {}", what()))?;
            }
            going_on = begun;
        }
        ensure!(going_on.is_none(), "{document}: no block follows the running program");
    }
    for (document, request) in requests()? {
        // `grep` exits with 1 if no line matches, which is not a failure. Failures of `curl` are recorded separately.
        shell
            .run(&format!("set +e\n{request}\ncode=$?\nset -e\n[ $code -le 1 ]"))
            .with_context(|| format!("{}: {request}", document.display()))?;
        passed += 1;
    }
    let note = if shell.library.is_some() {
        ""
    } else {
        "SKIPPED: no Socket.IO client here (--install gets one): programs of documents are NOT run"
    };
    Ok(Outcome { passed, ..Outcome::default() }.with_note(note))
}

/// The state of a reader's shell: a folder, and the variables exported by the preceding blocks.
struct Shell<'a> {
    folder: &'a Path,
    exported: BTreeMap<String, String>,
    /// The folder `node_modules` with the Socket.IO client.
    library: Option<PathBuf>,
}

impl<'a> Shell<'a> {
    fn new(folder: &'a Path) -> Result<Self> {
        let library = SOCKET_IO_CLIENT.location();
        if let Some(library) = &library {
            symlink(library, folder.join("node_modules"))?;
        }
        Ok(Self { folder, exported: BTreeMap::new(), library })
    }

    /// Runs a block; returns the program if it keeps running, and the output expected of it.
    fn prove(&mut self, block: &Block) -> Result<Option<(Process, &'static str)>> {
        match (block.proof, &*block.language) {
            (Proof::Elsewhere, _) => {}
            (_, "js") if self.library.is_none() => {}
            (Proof::Prints(expected), "js") => {
                let mut node = task("timeout");
                node.arg(LIMIT.as_secs().to_string()).arg(NODE.path()?).arg(self.program(&block.text)?);
                let output = capture(node.current_dir(self.folder).envs(&self.exported))?;
                ensure!(output.success && output.text.contains(expected), "it printed:\n{}", output.text);
            }
            (Proof::Prints(expected), _) => {
                let output = self.run(&block.text)?;
                ensure!(output.contains(expected), "it printed:\n{output}");
            }
            (Proof::GoesOn(begun, printed), _) => {
                let program = self.program(&block.text)?;
                let daemon = Daemon::new("program", &NODE.path()?, self.folder).args([program]).current_dir(self.folder);
                let mut process = self.exported.iter().fold(daemon, |daemon, (name, value)| daemon.env(name, value)).start()?;
                process.wait_ready(LIMIT, || self.log().contains(begun))?;
                return Ok(Some((process, printed)));
            }
        }
        Ok(None)
    }

    fn program(&self, text: &str) -> Result<PathBuf> {
        let file = self.folder.join("program.mjs");
        fs::write(&file, text)?;
        Ok(file)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("program.log")).unwrap_or_default()
    }

    fn wait_for(&self, mut process: Process, printed: &str) -> Result<()> {
        wait_until(printed, LIMIT, || {
            process.check()?;
            Ok(self.log().contains(printed))
        })
        .with_context(|| self.log())
    }

    /// Runs commands and returns their output.
    fn run(&mut self, commands: &str) -> Result<String> {
        let (failed, exported) = (self.folder.join("failed"), self.folder.join("exported"));
        fs::write(&failed, "")?;
        let script = format!("set -eu\n{STRICT}\n{commands}\nenv -0 >{}\n", exported.display());
        let output = capture(
            task("bash").args(["-c", &script]).current_dir(self.folder).envs(&self.exported).env("FAILED", &failed).env("NO_PROXY", OURS),
        )?;
        let refused = fs::read_to_string(&failed)?;
        ensure!(output.success && refused.is_empty(), "{refused}{}", output.text);
        let pairs = fs::read_to_string(exported)?;
        let pairs = pairs.split('\0').filter_map(|pair| pair.split_once('='));
        self.exported = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(output.text)
    }
}
