//! A reader's shell: runs the commands and programs of documents against a running stack. It changes only one thing in them: it replaces
//! the default addresses of `cargo xtask up` with those of the stack.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use devstack::ports::Ports;
use devstack::process::{Daemon, Process, capture, task, wait_until};
use devstack::tools::{NODE, PYTHON, SOCKET_IO_CLIENT};

use super::documents::Form;
use super::fate::Run;

const LIMIT: Duration = Duration::from_secs(30);
/// A proxy from the environment must not intercept traffic to our own processes.
const OURS: &str = "localhost,127.0.0.1";
/// Prepended to every script: records each failure of `curl`, including a 4xx or 5xx status, in the file `$FAILED`, because a pipeline
/// hides exit codes. Exit code 23 is not a failure: the next program of a pipeline may close the pipe early.
const STRICT: &str = r#"
curl() {
    command curl --fail-with-body --show-error --max-time 20 "$@" || { code=$?; [ $code = 23 ] || echo "curl $*: $code" >>"$FAILED"; }
}
"#;

/// The language of a block that is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Shell,
    JavaScript,
    Python,
}

impl Language {
    /// The language of a fenced block; any other block is shell.
    pub fn of(form: &Form) -> Self {
        match form {
            Form::Fenced(name) if name == "js" => Self::JavaScript,
            Form::Fenced(name) if name == "python" => Self::Python,
            _ => Self::Shell,
        }
    }

    /// The program that runs a file of this language, and the name of the file.
    fn interpreter(self) -> Result<(PathBuf, &'static str)> {
        Ok(match self {
            Self::Shell => ("bash".into(), "program.sh"),
            Self::JavaScript => (NODE.path()?, "program.mjs"),
            Self::Python => (PYTHON.path()?, "program.py"),
        })
    }
}

/// A folder, and the variables exported by the preceding blocks.
pub struct Shell<'a> {
    folder: &'a Path,
    ports: &'a Ports,
    exported: BTreeMap<String, String>,
    /// The folder `node_modules` with the Socket.IO client.
    library: Option<PathBuf>,
}

impl<'a> Shell<'a> {
    /// A shell in an empty folder, for a stack with these ports.
    pub fn new(folder: &'a Path, ports: &'a Ports) -> Result<Self> {
        let library = SOCKET_IO_CLIENT.location();
        if let Some(library) = &library {
            symlink(library, folder.join("node_modules"))?;
        }
        Ok(Self { folder, ports, exported: BTreeMap::new(), library })
    }

    /// The program or library that a block needs and this machine lacks.
    pub fn lacks(&self, text: &str, language: Language) -> Option<&'static str> {
        match language {
            Language::JavaScript if NODE.find().is_none() => Some("Node.js"),
            Language::JavaScript if text.contains("socket.io-client") && self.library.is_none() => Some("Socket.IO client"),
            Language::Python if PYTHON.find().is_none() => Some("Python"),
            _ => None,
        }
    }

    /// Runs a block; returns the program if it keeps running, and the output expected of it.
    pub fn block(&mut self, text: &str, language: Language, run: Run) -> Result<Option<(Process, &'static str)>> {
        match run {
            Run::Prints(expected) if language == Language::Shell => {
                let output = self.run(text)?;
                ensure!(output.contains(expected), "did not print {expected}:\n{output}");
            }
            Run::Prints(expected) => {
                let (interpreter, program) = self.program(text, language)?;
                let mut program_once = task("timeout");
                program_once.arg(LIMIT.as_secs().to_string()).arg(interpreter).arg(program);
                let output = capture(program_once.current_dir(self.folder).envs(&self.exported).env("NO_PROXY", OURS))?;
                ensure!(output.success && output.text.contains(expected), "failed or did not print {expected}:\n{}", output.text);
            }
            Run::GoesOn(begun, printed) => {
                let (interpreter, program) = self.program(text, language)?;
                let daemon = Daemon::new("program", &interpreter, self.folder).args([program]).current_dir(self.folder);
                let mut process = self.exported.iter().fold(daemon, |daemon, (name, value)| daemon.env(name, value)).start()?;
                process.wait_ready(LIMIT, || self.log().contains(begun))?;
                return Ok(Some((process, printed)));
            }
        }
        Ok(None)
    }

    /// Runs a command that may print nothing. Exit code 1 passes, because `grep` returns it if nothing matches. Failures of `curl` are
    /// recorded separately.
    pub fn request(&mut self, command: &str) -> Result<()> {
        self.run(&format!("set +e\n{command}\ncode=$?\nset -e\n[ $code -le 1 ]")).map(drop)
    }

    /// Writes a program into a file. Returns its interpreter and the file.
    fn program(&self, text: &str, language: Language) -> Result<(PathBuf, PathBuf)> {
        let (interpreter, name) = language.interpreter()?;
        let file = self.folder.join(name);
        fs::write(&file, self.ports.replace_defaults(text))?;
        Ok((interpreter, file))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("program.log")).unwrap_or_default()
    }

    /// Waits until a program that keeps running has printed a text, and stops it.
    pub fn wait_for(&self, mut process: Process, printed: &str) -> Result<()> {
        wait_until(&format!("the program prints {printed}"), LIMIT, || {
            process.check()?;
            Ok(self.log().contains(printed))
        })
        .with_context(|| self.log())
    }

    /// Runs commands and returns their output.
    fn run(&mut self, commands: &str) -> Result<String> {
        let (failed, exported) = (self.folder.join("failed"), self.folder.join("exported"));
        fs::write(&failed, "")?;
        let commands = self.ports.replace_defaults(commands);
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use devstack::paths;

    use super::*;

    /// The address of a server that refuses one request.
    fn refusing() -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        });
        address
    }

    #[test]
    fn a_refused_request_a_failed_command_and_unexpected_output_fail() {
        let (folder, ports) = (paths::temporary("shell").unwrap(), Ports::any(1).unwrap());
        let mut shell = Shell::new(folder.path(), &ports).unwrap();
        assert!(shell.block("export name=Ada", Language::Shell, Run::Prints("")).is_ok());
        assert!(shell.block("echo \"hello $name\"", Language::Shell, Run::Prints("hello Ada")).is_ok());
        assert!(shell.block("echo \"hello $name\"", Language::Shell, Run::Prints("hello Grace")).is_err());
        assert!(shell.block("false", Language::Shell, Run::Prints("")).is_err());
        assert!(shell.block("print('hello', 1 + 1)", Language::Python, Run::Prints("hello 2")).is_ok() || PYTHON.find().is_none());
        assert!(shell.block("raise SystemExit(1)", Language::Python, Run::Prints("")).is_err());
        assert!(shell.request("echo x | grep y").is_ok());
        assert!(shell.request(&format!("curl -s http://{}/ | grep x", refusing())).is_err());
    }
}
