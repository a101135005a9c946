//! The driver `docker`: containers of an engine that serves the Docker Engine API on a Unix socket.
//!
//! - Each call creates a client, so the engine may restart or be replaced at any time. A new client is cheap, because bollard keeps no
//!   connection open.
//! - bollard sends no API version in the path, so the engine uses its own version. Version negotiation is unnecessary: the calls made here
//!   have not changed since version 1.41.
//! - [`Engine`](super::Engine) enforces the deadlines.

mod error;
mod exec;
mod logs;
mod spec;
mod terminal;
mod upgrade;

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use bollard::API_DEFAULT_VERSION;
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, NetworkConnectRequest, NetworkDisconnectRequest};
use bollard::query_parameters::{CreateContainerOptions, CreateImageOptions, ListContainersOptions, RemoveContainerOptions};
use futures_util::{StreamExt, TryStreamExt, stream};
use time::OffsetDateTime;
use uuid::Uuid;

use self::error::status;
use super::{Container, ContainerState, Driver, DriverError, Exit, Image, Lines, Program, Script, Terminal, TerminalSize, container_name};
use crate::config::Config;
use crate::domain::DriverName;

/// Timeout of bollard's client in seconds. It is far longer than the default deadlines of `Engine`, which should take effect first.
const CLIENT_TIMEOUT: u64 = 24 * 3600;
/// Interval between attempts while a concurrent call creates or removes the same container or network.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// Maximum number of attempts to create a network. An attempt fails while a concurrent call is creating the same network.
const NETWORK_ATTEMPTS: u32 = 40;
/// Number of containers inspected concurrently.
const CONCURRENT_INSPECTIONS: usize = 8;

/// The Docker driver.
pub struct Docker {
    socket: String,
    namespace: String,
}

impl Docker {
    /// Creates a driver for the engine at `DOCKER_HOST`, which need not be reachable yet.
    ///
    /// # Errors
    /// [`DriverError::Refused`] when `DOCKER_HOST` is not the URL of a socket.
    pub fn new(config: &Config) -> Result<Self, DriverError> {
        let path = config.docker_host.to_file_path().ok().and_then(|path| path.into_os_string().into_string().ok());
        let socket = path.ok_or_else(|| DriverError::Refused("DOCKER_HOST must be the URL of a Unix socket".to_owned()))?;
        Ok(Self { socket, namespace: config.environment_namespace.clone() })
    }

    fn client(&self) -> Result<bollard::Docker, DriverError> {
        Ok(bollard::Docker::connect_with_unix(&self.socket, CLIENT_TIMEOUT, API_DEFAULT_VERSION)?)
    }

    fn container_name(&self, environment: Uuid) -> String {
        container_name(&self.namespace, environment)
    }

    async fn find(&self, client: &bollard::Docker, environment: Uuid) -> Result<Option<Container>, DriverError> {
        match client.inspect_container(&self.container_name(environment), None).await {
            Ok(found) => container(environment, found),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates the namespace's network if it does not exist.
    async fn ensure_network(&self, client: &bollard::Docker) -> Result<(), DriverError> {
        let mut attempts_left = NETWORK_ATTEMPTS;
        while !self.has_network(client).await? {
            attempts_left -= 1;
            match client.create_network(spec::network(&self.namespace)).await {
                Ok(_) => return Ok(()),
                // A concurrent call is creating the network.
                Err(error) if matches!(status(&error), Some(403 | 409)) && attempts_left > 0 => tokio::time::sleep(RETRY_INTERVAL).await,
                Err(error) if status(&error) == Some(404) => {
                    return Err(DriverError::Failed("no address pool is available for a network".to_owned()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn has_network(&self, client: &bollard::Docker) -> Result<bool, DriverError> {
        match client.inspect_network(&spec::network_name(&self.namespace), None).await {
            Ok(network) if network.internal == Some(true) => Ok(true),
            Ok(_) => Err(DriverError::Refused("the network of this namespace is not internal: another program created it".to_owned())),
            Err(error) if status(&error) == Some(404) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reconnects a container to its network after a start that failed with 404. If the container exists, the 404 means that its network
    /// was removed, for example by `docker network prune` while all containers were stopped. The engine identifies networks by ID, so the
    /// container must be connected to the new network of the same name.
    async fn rejoin_network(&self, client: &bollard::Docker, environment: Uuid) -> Result<(), DriverError> {
        self.find(client, environment).await?.ok_or(DriverError::NoContainer)?;
        self.ensure_network(client).await?;
        let (network, container) = (spec::network_name(&self.namespace), self.container_name(environment));
        let leave = NetworkDisconnectRequest { container: container.clone(), force: Some(true) };
        // Ignore errors: an interrupted attempt may have disconnected the container already.
        let _ignored = client.disconnect_network(&network, leave).await;
        Ok(client.connect_network(&network, NetworkConnectRequest { container, endpoint_config: None }).await?)
    }
}

/// Converts the engine's description of a container. Returns `None` for a container that is being removed.
fn container(environment: Uuid, found: ContainerInspectResponse) -> Result<Option<Container>, DriverError> {
    use ContainerStateStatusEnum as Status;
    let reported = found.state.unwrap_or_default();
    let state = match reported.status {
        Some(Status::CREATED) => ContainerState::Created,
        Some(Status::RUNNING | Status::PAUSED | Status::RESTARTING | Status::STOPPING) => ContainerState::Running,
        Some(Status::EXITED | Status::DEAD) => ContainerState::Exited { code: reported.exit_code.unwrap_or_default() },
        Some(Status::REMOVING) => return Ok(None),
        Some(Status::EMPTY) | None => return Err(DriverError::Failed("it did not report the state of a container".to_owned())),
    };
    Ok(Some(Container { environment, reference: found.id.unwrap_or_default(), state }))
}

#[async_trait]
impl Driver for Docker {
    fn name(&self) -> DriverName {
        DriverName::Docker
    }

    async fn ping(&self) -> Result<(), DriverError> {
        Ok(self.client()?.ping().await.map(drop)?)
    }

    async fn pull(&self, image: Image) -> Result<(), DriverError> {
        let client = self.client()?;
        match client.inspect_image(image.reference()).await {
            Ok(_) => return Ok(()),
            Err(error) if status(&error) == Some(404) => {}
            Err(error) => return Err(error.into()),
        }
        let options = CreateImageOptions { from_image: Some(image.reference().to_owned()), ..CreateImageOptions::default() };
        match client.create_image(Some(options), None, None).try_for_each(async |_| Ok(())).await {
            Err(error) if status(&error) == Some(404) => Err(DriverError::Refused("the registry does not have the image".to_owned())),
            pulled => Ok(pulled?),
        }
    }

    async fn create(&self, environment: Uuid, image: Image) -> Result<String, DriverError> {
        let client = self.client()?;
        self.ensure_network(&client).await?;
        loop {
            let options = CreateContainerOptions { name: Some(self.container_name(environment)), ..CreateContainerOptions::default() };
            match client.create_container(Some(options), spec::container(&self.namespace, environment, image)).await {
                Ok(created) => return Ok(created.id),
                Err(error) if status(&error) == Some(404) => {
                    return Err(DriverError::Refused("the image has not been pulled".to_owned()));
                }
                Err(error) if status(&error) == Some(409) => {}
                Err(error) => return Err(error.into()),
            }
            // The name is in use: the container exists, or a concurrent call is creating or removing it.
            match self.find(&client, environment).await? {
                Some(found) => return Ok(found.reference),
                None => tokio::time::sleep(RETRY_INTERVAL).await,
            }
        }
    }

    async fn start(&self, environment: Uuid) -> Result<(), DriverError> {
        let (client, name) = (self.client()?, self.container_name(environment));
        match client.start_container(&name, None).await {
            Err(error) if status(&error) == Some(404) => self.rejoin_network(&client, environment).await?,
            started => return Ok(started?),
        }
        Ok(client.start_container(&name, None).await?)
    }

    async fn stop(&self, environment: Uuid) -> Result<(), DriverError> {
        Ok(self.client()?.stop_container(&self.container_name(environment), None).await?)
    }

    async fn restart(&self, environment: Uuid) -> Result<(), DriverError> {
        let client = self.client()?;
        let Err(error) = client.restart_container(&self.container_name(environment), None).await else { return Ok(()) };
        match self.find(&client, environment).await? {
            // The container is stopped after the failed restart, so start it. `start` also recreates a removed network.
            Some(found) if found.state != ContainerState::Running => self.start(environment).await,
            _ => Err(error.into()),
        }
    }

    async fn remove(&self, environment: Uuid) -> Result<(), DriverError> {
        let (client, name) = (self.client()?, self.container_name(environment));
        loop {
            let options = RemoveContainerOptions { force: true, v: true, link: false };
            match client.remove_container(&name, Some(options)).await {
                Err(error) if status(&error) == Some(404) => return Ok(()),
                // A concurrent call is removing the container; wait until it has finished.
                Err(error) if status(&error) == Some(409) => tokio::time::sleep(RETRY_INTERVAL).await,
                removed => return Ok(removed?),
            }
        }
    }

    async fn inspect(&self, environment: Uuid) -> Result<Option<Container>, DriverError> {
        self.find(&self.client()?, environment).await
    }

    async fn list(&self) -> Result<Vec<Container>, DriverError> {
        let client = self.client()?;
        let label = format!("{}={}", spec::NAMESPACE_LABEL, self.namespace);
        let filters = Some(HashMap::from([("label".to_owned(), vec![label])]));
        let all = client.list_containers(Some(ListContainersOptions { all: true, filters, ..ListContainersOptions::default() })).await?;
        let environments = all.into_iter().filter_map(|summary| summary.labels?.get(spec::ENVIRONMENT_LABEL)?.parse().ok());
        // The list contains no exit codes, so inspect each container. A container that has been removed since is omitted.
        let containers =
            stream::iter(environments).map(|environment| self.find(&client, environment)).buffer_unordered(CONCURRENT_INSPECTIONS);
        containers.try_filter_map(async |container| Ok(container)).try_collect().await
    }

    async fn exec(&self, environment: Uuid, script: &Script) -> Result<Exit, DriverError> {
        exec::run(&self.client()?, &self.container_name(environment), script).await
    }

    async fn terminal(&self, environment: Uuid, program: Program, size: TerminalSize) -> Result<Terminal, DriverError> {
        terminal::open(self.client()?, &self.socket, &self.container_name(environment), program, size).await
    }

    async fn logs(&self, environment: Uuid, since: OffsetDateTime) -> Result<Lines, DriverError> {
        let client = self.client()?;
        self.find(&client, environment).await?.ok_or(DriverError::NoContainer)?;
        Ok(logs::follow(&client, &self.container_name(environment), since))
    }
}
