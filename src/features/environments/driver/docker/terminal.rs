//! Runs a program with a terminal in a container, until the program exits or the caller drops the terminal.
//!
//! The engine does not end a program when its client disconnects. If the program has a terminal, the engine does not even close the
//! program's input. Therefore this module runs two programs: a guard without a terminal, whose input the engine closes when the client
//! disconnects, and the program itself, which starts only while the guard runs. [`GUARD`] explains why the program never outlives its
//! client.

use std::pin::Pin;

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{ResizeExecOptions, StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bytes::BytesMut;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use uuid::Uuid;

use super::super::{DriverError, Program, Terminal, TerminalInput, TerminalOutput, TerminalSize};
use super::error::not_running;
use super::upgrade;

/// Prints `missing` and exits if `$2` names a program that does not exist. Otherwise prints the PID of a child process that exits when
/// the guard's input ends, and waits for that child. Then searches for the process whose command line contains the token `$1`, and ends
/// all processes of its POSIX session: by SIGHUP, and one second later by SIGKILL.
///
/// The search begins only after the child has exited. The script [`TERMINAL`] has the token in its command line from its start, and its
/// first command checks whether the child exists. If the child exists, the search has not begun yet, and will find the script. If not,
/// the script exits by itself. The brackets in the pattern keep the search from matching itself.
const GUARD: &str = r#"if [ -n "$2" ] && ! command -v "$2" >/dev/null 2>&1; then
    echo missing
    exit
fi
sh -c 'echo "$$"; read -r _'
exec >/dev/null 2>&1
each() {
    found=
    for process in /proc/[0-9]*; do
        stat=$(cat "$process/stat") || continue
        set -- "$1" ${stat##*) }
        [ "$5" = "$session" ] && [ "$2" != Z ] && kill -s "$1" "${process#/proc/}" && found=1
    done
    [ -n "$found" ]
}
for process in $(grep -l "terminal[-]$1" /proc/[0-9]*/cmdline); do
    stat=$(cat "${process%/cmdline}/stat") || continue
    set -- "$1" ${stat##*) }
    session=$5
    each HUP && sleep 1
    while each KILL; do :; done
done"#;

/// Runs tmux with the session `$3` if `$2` is `tmux`, otherwise a shell; exits immediately if the guard's child `$1` does not exist. The
/// script does not `exec` the program, so that the token stays in the command line. A shell may `exec` its last command by itself; the
/// `exit` at the end prevents this. bash and sh read `.profile`, because extensions configure shells there.
const TERMINAL: &str = r#"kill -0 "$1" 2>/dev/null || exit
cd
export ENV="$HOME/.profile"
if [ "$2" = tmux ]; then
    tmux -u new-session -A -s "$3"
elif command -v bash >/dev/null 2>&1; then
    bash --rcfile "$ENV"
else
    sh
fi
exit "$?""#;

/// Environment variables that describe the client's terminal.
const ENVIRONMENT: [&str; 2] = ["TERM=xterm-256color", "LANG=C.UTF-8"];
/// Detach sequence of the engine. With a terminal, the engine holds back the first key of the sequence until the next key arrives, and
/// this cannot be disabled. The default sequence begins with Ctrl-P, which shells use; Ctrl-^ is hardly ever typed.
const DETACH_KEYS: &str = "ctrl-^,ctrl-@,ctrl-^,ctrl-@,ctrl-^,ctrl-@";
/// Maximum number of bytes per read of output.
const PIECE: usize = 16 << 10;

/// Starts a program with a terminal. Dropping the future or the terminal at any time ends the program. Only a tmux session continues.
pub async fn open(
    client: bollard::Docker,
    socket: &str,
    container: &str,
    program: Program,
    size: TerminalSize,
) -> Result<Terminal, DriverError> {
    let (name, session) = match program {
        Program::Shell => ("", String::new()),
        Program::Tmux(session) => ("tmux", session.to_string()),
    };
    let token = Uuid::new_v4();
    let guard = Guard::post(&client, container, token, name).await?;
    let marker = format!("terminal-{token}");
    let command = ["sh", "-c", TERMINAL, &marker, &guard.process.to_string(), name, &session];
    let config = ExecConfig {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(true),
        detach_keys: Some(DETACH_KEYS.to_owned()),
        env: Some(ENVIRONMENT.map(str::to_owned).to_vec()),
        cmd: Some(command.map(str::to_owned).to_vec()),
        ..ExecConfig::default()
    };
    let id = client.create_exec(container, config).await.map_err(not_running)?.id;
    let (read, write) = tokio::io::split(upgrade::start(socket, &id).await.map_err(not_running)?);
    let mut input = Input { client, id, write };
    input.resize(size).await?;
    Ok(Terminal { output: output(read, guard), input: Box::new(input) })
}

/// The connection to the guard. Closing it ends the terminal.
struct Guard {
    /// The PID that [`GUARD`] prints.
    process: u32,
    _output: BoxStream<'static, Result<LogOutput, Error>>,
    _input: Pin<Box<dyn AsyncWrite + Send>>,
}

impl Guard {
    async fn post(client: &bollard::Docker, container: &str, token: Uuid, requires: &str) -> Result<Self, DriverError> {
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            cmd: Some(["sh", "-c", GUARD, "sh", &token.to_string(), requires].map(str::to_owned).to_vec()),
            ..ExecConfig::default()
        };
        let id = client.create_exec(container, config).await.map_err(not_running)?.id;
        let StartExecResults::Attached { mut output, input } =
            client.start_exec(&id, None::<StartExecOptions>).await.map_err(not_running)?
        else {
            return Err(DriverError::Failed("the guard was started detached".to_owned()));
        };
        let first = output.next().await.transpose()?.map(|piece| String::from_utf8_lossy(&piece.into_bytes()).trim().to_owned());
        match first.as_deref() {
            Some("missing") => Err(DriverError::Refused(format!("{requires} is not in this image"))),
            Some(number) if let Ok(process) = number.parse() => Ok(Self { process, _output: output, _input: input }),
            _ => Err(DriverError::Failed("the guard did not report a PID".to_owned())),
        }
    }
}

fn output(read: impl AsyncRead + Send + Unpin + 'static, guard: Guard) -> TerminalOutput {
    let state = (read, BytesMut::new(), guard);
    Box::pin(stream::try_unfold(state, async |(mut read, mut buffer, guard)| {
        buffer.reserve(PIECE);
        let count = read.read_buf(&mut buffer).await.map_err(Error::from)?;
        Ok((count > 0).then(|| (buffer.split().freeze(), (read, buffer, guard))))
    }))
}

/// Input of a program with a terminal.
struct Input<W> {
    client: bollard::Docker,
    id: String,
    write: W,
}

#[async_trait]
impl<W: AsyncWrite + Send + Unpin> TerminalInput for Input<W> {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), DriverError> {
        Ok(self.write.write_all(bytes).await.map_err(Error::from)?)
    }

    async fn resize(&mut self, size: TerminalSize) -> Result<(), DriverError> {
        let options = ResizeExecOptions { width: size.cols(), height: size.rows() };
        Ok(self.client.resize_exec(&self.id, options).await.map_err(not_running)?)
    }
}
