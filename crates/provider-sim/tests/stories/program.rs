//! The executable: it reads its configuration from environment variables, reports its health, and stops on a signal.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{self, Child, ChildStderr, Command, ExitStatus, Stdio};

use reqwest::Client;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provider-sim"));
    command.env_clear().env("LISTEN_ADDRESS", "127.0.0.1:0").stderr(Stdio::piped());
    command
}

/// A running simulator, its address, and the unread rest of its standard error.
struct Running {
    child: Child,
    address: String,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("provider-sim listening on http://").unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, address, stderr }
    }

    fn health(&self) -> ExitStatus {
        program().arg("healthcheck").env("LISTEN_ADDRESS", &self.address).stderr(Stdio::null()).status().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_is_healthy_until_a_signal_stops_it() {
    for signal in ["-TERM", "-INT"] {
        let mut running = Running::start(&mut program());
        assert!(running.health().success());
        assert!(Command::new("kill").args([signal, &running.child.id().to_string()]).status().unwrap().success());
        assert!(running.child.wait().unwrap().success(), "{signal}");
        let mut last = String::new();
        running.stderr.read_line(&mut last).unwrap();
        assert_eq!(last, "provider-sim stopped\n");
        assert!(!running.health().success());
    }
}

#[tokio::test]
async fn the_client_secret_can_be_read_from_a_file() {
    let path = std::env::temp_dir().join(format!("provider-sim-secret-{}", process::id()));
    fs::write(&path, "from a file\n").unwrap();
    let running = Running::start(program().env("CLIENT_SECRET_FILE", &path));
    let status = async |secret: &str| {
        let request = Client::new().post(format!("http://{}/x/oauth/revoke", running.address));
        request.basic_auth("vitrine", Some(secret)).form(&[("token", "any")]).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("simulated").await, 401);
    // A client form-encodes its ID and secret before it writes them into the Basic header (RFC 6749, 2.3.1): `+` means a space.
    assert_eq!(status("from+a+file").await, 200);
    fs::remove_file(path).unwrap();
}

#[test]
fn it_refuses_to_start_with_an_invalid_variable_and_names_the_variable() {
    for (name, value) in [
        ("CLIENT_SECRET_FILE", "/nowhere"),
        ("KNOBS_FILE", "/nowhere"),
        ("PUBLIC_URL", "ftp://example.com"),
        ("CALLBACK_BASE", "nowhere"),
        ("LISTEN_ADDRESS", "here"),
    ] {
        let output = program().env(name, value).output().unwrap();
        assert!(!output.status.success());
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(name), "{name}: {message}");
    }
}
