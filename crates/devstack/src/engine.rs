//! The Docker engine for environments: finds, starts or installs an engine, and stops and removes the containers in it.
//! xtask sends requests to the engine's socket, as the service does, and so needs no Docker client.

use std::env;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::process::geteuid;
use serde_json::Value;

use crate::paths;
use crate::process::{capture_ok, task, wait_until};
use crate::tools::{self, DOCKERD, is_executable};

/// The variable that selects the engine, for xtask as for Docker's own programs.
pub const HOST_VARIABLE: &str = "DOCKER_HOST";
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";
/// Every container of an environment has this label; its value separates the stacks that share an engine.
const LABEL: &str = "vitrine.namespace";
/// The image of the tests' containers.
const TEST_IMAGE: &str = "busybox:1.37";
/// Prefix of the tests' namespaces.
const TEST_NAMESPACES: &str = "test-";
/// Longer than any test takes; older containers are leftovers of a killed run.
const ABANDONED: Duration = Duration::from_mins(10);
/// Longest time without data from the engine during a request. The stop of a container and the download of an image are slow.
const SILENCE: Duration = Duration::from_mins(1);
/// Seconds that a container may take to stop before it is killed.
const STOP_SECONDS: u8 = 5;

/// A reachable engine.
pub struct Engine {
    /// The engine's address: `unix://` and the path of its socket.
    pub host: String,
    /// The engine's version, such as `28.5.1`.
    pub version: String,
    socket: PathBuf,
}

/// A container of an environment.
struct Container {
    id: String,
    namespace: String,
    running: bool,
    /// In seconds since 1970.
    created: u64,
}

impl Engine {
    /// Finds the engine at `DOCKER_HOST`, or at the default address.
    pub fn find() -> Result<Self> {
        Self::at(chosen().as_deref().unwrap_or(DEFAULT_HOST))
    }

    fn at(host: &str) -> Result<Self> {
        let socket = host.strip_prefix("unix://").with_context(|| format!("{HOST_VARIABLE} is {host}, and only unix:// is supported"))?;
        let mut engine = Self { host: host.to_owned(), version: String::new(), socket: socket.into() };
        let version = engine.get("/version").with_context(|| format!("no Docker engine at {host}"))?;
        version["Version"].as_str().unwrap_or_default().clone_into(&mut engine.version);
        Ok(engine)
    }

    /// Finds an engine as [`Engine::find`] does. If none responds at the default address, starts one with the program of [`provider`], if
    /// there is such a program.
    fn find_or_start() -> Result<Self> {
        match (Self::find(), provider("engine")) {
            (Err(_), Some(program)) if chosen().is_none() => {
                capture_ok(&mut task(program))?;
                Self::find()
            }
            (found, _) => found,
        }
    }

    /// Returns an engine, or an error that says how to get one; with `install`, installs and starts one where possible.
    pub fn require(install: bool) -> Result<Self> {
        let missing = match Self::find_or_start() {
            // An engine that the user chose is never replaced by another.
            Err(missing) if chosen().is_none() => format!("{missing:#} ({HOST_VARIABLE}=unix://… selects another engine)"),
            found => return found,
        };
        tools::require(&[&DOCKERD], install).map_err(|error| anyhow!("{missing}\n{error}"))?;
        ensure!(
            install && geteuid().is_root(),
            "{missing}\nRoot starts an engine with `service docker start`; root and the members of the group docker may use the engine"
        );
        capture_ok(task("service").args(["docker", "start"]))?;
        wait_until("the Docker engine responds", Duration::from_secs(30), || Ok(Self::find().is_ok()))?;
        Self::find()
    }

    /// Returns an engine with the image of the tests; removes leftovers of killed tests from the engine if possible.
    pub fn for_tests() -> Result<Self> {
        let engine = Self::find_or_start()?;
        engine.ensure_image(TEST_IMAGE)?;
        if let Err(error) = engine.sweep() {
            eprintln!("failed to remove leftovers of earlier tests from the engine: {error:#}");
        }
        Ok(engine)
    }

    fn ensure_image(&self, image: &str) -> Result<()> {
        let description = format!("/images/{image}/json");
        if self.get(&description).is_ok() {
            return Ok(());
        }
        let output = if let Some(program) = provider("images") {
            capture_ok(task(program).arg(image))?
        } else {
            let (name, tag) = image.split_once(':').context("an image must have a tag")?;
            // The engine reports a failed download in the body, not in the status.
            self.call("POST", &format!("/images/create?fromImage={name}&tag={tag}"))?.1
        };
        self.get(&description)
            .with_context(|| format!("failed to get {image}: {}", output.trim_end().lines().last().unwrap_or_default()))?;
        Ok(())
    }

    /// Stops the running containers of a namespace; their contents remain.
    pub fn stop(&self, namespace: &str) -> Result<()> {
        let running = self.containers(|container| container.running && container.namespace == namespace)?;
        // In parallel, since each may take several seconds.
        thread::scope(|scope| {
            let stops: Vec<_> = running
                .iter()
                .map(|container| scope.spawn(|| self.change("POST", &format!("/containers/{}/stop?t={STOP_SECONDS}", container.id))))
                .collect();
            stops.into_iter().try_for_each(|stop| stop.join().map_err(|_| anyhow!("stopping a container panicked"))?)
        })
    }

    /// Removes the containers of a namespace and their network.
    pub fn remove(&self, namespace: &str) -> Result<()> {
        self.remove_containers(|container| container.namespace == namespace)?;
        self.change("DELETE", &format!("/networks/{}", network(namespace)))
    }

    /// Removes leftovers of killed tests.
    fn sweep(&self) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let is_abandoned = |created: u64| now.saturating_sub(created) > ABANDONED.as_secs();
        self.remove_containers(|container| container.namespace.starts_with(TEST_NAMESPACES) && is_abandoned(container.created))?;
        let networks = self.get("/networks")?;
        for found in networks.as_array().into_iter().flatten() {
            let name = found["Name"].as_str().unwrap_or_default();
            if !name.starts_with(TEST_NAMESPACES) || !name.ends_with(&network("")) {
                continue;
            }
            let created = capture_ok(task("date").arg("+%s").arg("--date").arg(found["Created"].as_str().unwrap_or_default()))?;
            if is_abandoned(created.trim().parse()?) {
                self.change("DELETE", &format!("/networks/{name}"))?;
            }
        }
        Ok(())
    }

    fn remove_containers(&self, wanted: impl Fn(&Container) -> bool) -> Result<()> {
        for container in self.containers(wanted)? {
            self.change("DELETE", &format!("/containers/{}?force=true&v=true", container.id))?;
        }
        Ok(())
    }

    fn containers(&self, wanted: impl Fn(&Container) -> bool) -> Result<Vec<Container>> {
        let list = self.get("/containers/json?all=true")?;
        let read = |item: &Value| {
            Some(Container {
                id: item["Id"].as_str()?.to_owned(),
                namespace: item["Labels"][LABEL].as_str()?.to_owned(),
                running: item["State"] == "running",
                created: item["Created"].as_u64()?,
            })
        };
        Ok(list.as_array().into_iter().flatten().filter_map(read).filter(wanted).collect())
    }

    fn get(&self, path: &str) -> Result<Value> {
        let (status, body) = self.call("GET", path)?;
        ensure!(status == 200, "GET {path}: {status} {}", body.trim_end());
        serde_json::from_str(&body).with_context(|| format!("GET {path}: not JSON"))
    }

    /// Sends a request that changes something. Succeeds even if nothing is left to change.
    fn change(&self, method: &str, path: &str) -> Result<()> {
        match self.call(method, path)? {
            (200..=299 | 304 | 404, _) => Ok(()),
            (status, body) => bail!("{method} {path}: {status} {}", body.trim_end()),
        }
    }

    /// Sends a request and returns the status and the body.
    fn call(&self, method: &str, path: &str) -> Result<(u16, String)> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(SILENCE))?;
        // Over HTTP/1.0 a response is not chunked and ends with the connection.
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: docker\r\nContent-Length: 0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the response headers are incomplete")?;
        let status = head.split(' ').nth(1).context("the response has no status")?;
        Ok((status.parse()?, body.to_owned()))
    }
}

/// The address of the engine that the user chose, if any.
fn chosen() -> Option<String> {
    env::var(HOST_VARIABLE).ok().filter(|host| !host.is_empty())
}

/// The namespace of the stack in a folder: derived from the path, because several checkouts can share an engine.
#[must_use]
pub fn namespace(folder: &Path) -> String {
    // FNV-1a, because the standard library's hash may change with the compiler.
    let bytes = folder.as_os_str().as_encoded_bytes();
    let hash = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    format!("vitrine-{hash:08x}")
}

/// The network of a namespace's containers, as the service names it.
fn network(namespace: &str) -> String {
    format!("{namespace}-environments")
}

/// A program for machines that cannot download images: `engine` starts an engine, `images` makes images.
/// `.ci/compose-smoke` uses the same programs and describes them.
fn provider(name: &str) -> Option<PathBuf> {
    let folder = env::var_os("VITRINE_IMAGES").unwrap_or_else(|| "../shared/offline-docker".into());
    let program = paths::root().join(folder).join(name);
    is_executable(&program).then_some(program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::os::unix::net::UnixListener;

    /// Answers each request with the result of `answer` for its first line; returns the first lines of all requests.
    fn serve(listener: &UnixListener, requests: usize, answer: impl Fn(&str) -> String) -> Vec<String> {
        (0..requests)
            .map(|_| {
                let (stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(&stream).lines();
                let request = lines.next().unwrap().unwrap();
                // Reads the whole request; otherwise closing would reset the connection.
                lines.take_while(|line| !line.as_ref().unwrap().is_empty()).count();
                (&stream).write_all(answer(&request).as_bytes()).unwrap();
                request
            })
            .collect()
    }

    #[test]
    fn only_running_containers_of_the_given_namespace_are_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let container = |id: &str, namespace: &str, state: &str| serde_json::json!({ "Id": id, "Labels": { LABEL: namespace }, "State": state, "Created": 1 });
        let list = serde_json::json!([
            container("mine", "vitrine-1", "running"),
            container("stopped", "vitrine-1", "exited"),
            container("theirs", "vitrine-12", "running"),
            { "Id": "foreign", "Labels": {}, "State": "running", "Created": 1 },
        ]);
        let requests = thread::scope(|scope| {
            let server = scope.spawn(|| {
                serve(&listener, 3, |request| match request.split(' ').nth(1).unwrap() {
                    "/version" => "HTTP/1.0 200 OK\r\n\r\n{\"Version\":\"28.0\"}".to_owned(),
                    "/containers/json?all=true" => format!("HTTP/1.0 200 OK\r\n\r\n{list}"),
                    _ => "HTTP/1.0 204 No Content\r\n\r\n".to_owned(),
                })
            });
            let engine = Engine::at(&format!("unix://{}", socket.display())).unwrap();
            assert_eq!(engine.version, "28.0");
            engine.stop("vitrine-1").unwrap();
            server.join().unwrap()
        });
        assert_eq!(requests[2], "POST /containers/mine/stop?t=5 HTTP/1.0");
    }

    #[test]
    fn an_engine_that_does_not_answer_is_named() {
        let error = |host| format!("{:#}", Engine::at(host).err().unwrap());
        let missing = error("unix:///no/such/docker.sock");
        assert!(missing.starts_with("no Docker engine at unix:///no/such/docker.sock: "), "{missing}");
        let remote = error("tcp://127.0.0.1:2375");
        assert!(remote.contains("only unix:// is supported"), "{remote}");
    }

    #[test]
    fn a_namespace_is_stable_and_differs_between_folders() {
        // The published value of FNV-1a for "a".
        assert_eq!(namespace(Path::new("a")), "vitrine-e40c292c");
        assert_ne!(namespace(Path::new("/one/.stack")), namespace(Path::new("/two/.stack")));
    }
}
