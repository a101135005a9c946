//! The specifications of an environment's container and network. They are pure functions of the namespace, the environment and the image,
//! so no request can obtain a container or network with more rights than this file grants.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, NetworkCreateRequest, RestartPolicy,
    RestartPolicyNameEnum,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::super::Image;

/// Label of a container: the environment's identifier.
pub const ENVIRONMENT_LABEL: &str = "vitrine.environment";
/// Label of a container and of the network: the namespace.
pub const NAMESPACE_LABEL: &str = "vitrine.namespace";

/// Memory limit in bytes, swap included.
const MEMORY: i64 = 512 << 20;
/// CPU limit in billionths of a CPU: one CPU.
const NANO_CPUS: i64 = 1_000_000_000;
/// Maximum number of processes and threads.
const PIDS: i64 = 256;
/// Seconds between SIGTERM and SIGKILL.
const STOP_TIMEOUT: i64 = 3;
/// An unprivileged user, without a name in most images.
const USER: &str = "1000:1000";
/// The home of this user. It is below /tmp, because the user may write there in every image.
const HOME: &str = "/tmp/home";

/// Process 1, a script for any POSIX shell; `$0` is the image. It starts the programs that extensions have left in `.start`. The loop
/// waits for a background `sleep`: a shell runs a trap only after the foreground command, so a foreground `sleep` would delay the exit on
/// SIGTERM.
const COMMAND: &str = r#"trap 'exit 0' TERM
mkdir -p "$HOME"
echo "ready: $0"
for program in "$HOME"/.start/*; do
    [ -f "$program" ] && /bin/sh "$program" &
done
while :; do
    sleep 3600 &
    wait "$!"
done"#;

/// The network of a namespace's containers.
pub fn network_name(namespace: &str) -> String {
    format!("{namespace}-environments")
}

/// The specification of an environment's container.
pub fn container(namespace: &str, environment: Uuid, image: Image) -> ContainerCreateBody {
    let command = ["/bin/sh", "-c", COMMAND, image.reference()];
    ContainerCreateBody {
        image: Some(image.reference().to_owned()),
        // Replaces the image's entrypoint and drops its command.
        entrypoint: Some(command.map(str::to_owned).to_vec()),
        user: Some(USER.to_owned()),
        env: Some(vec![format!("HOME={HOME}")]),
        working_dir: Some("/tmp".to_owned()),
        labels: Some(map([(NAMESPACE_LABEL, namespace), (ENVIRONMENT_LABEL, &environment.to_string())])),
        stop_signal: Some("SIGTERM".to_owned()),
        stop_timeout: Some(STOP_TIMEOUT),
        host_config: Some(HostConfig {
            memory: Some(MEMORY),
            memory_swap: Some(MEMORY),
            nano_cpus: Some(NANO_CPUS),
            pids_limit: Some(PIDS),
            // When memory is short, environments are killed before the engine.
            oom_score_adj: Some(500),
            privileged: Some(false),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
            // The engine's configuration determines whether a container's IPC and cgroup namespaces are private by default. The PID, mount
            // and UTS namespaces always are.
            ipc_mode: Some("private".to_owned()),
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
            network_mode: Some(network_name(namespace)),
            // No resolver listens on this address. Without this setting, older engines (CVE-2024-29018) resolve names for the container
            // through the host.
            dns: Some(vec!["127.0.0.1".to_owned()]),
            // No automatic restart: the reconciler reports a container that died, and members decide whether to start it.
            restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(map([("max-size", "10m"), ("max-file", "3")])),
            }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// The specification of the network. Its containers cannot reach other networks, each other or the host. The host has no address on this
/// network.
pub fn network(namespace: &str) -> NetworkCreateRequest {
    NetworkCreateRequest {
        name: network_name(namespace),
        driver: Some("bridge".to_owned()),
        internal: Some(true),
        enable_ipv6: Some(false),
        options: Some(map([
            ("com.docker.network.bridge.name", &bridge_name(namespace)),
            ("com.docker.network.bridge.enable_icc", "false"),
            ("com.docker.network.bridge.inhibit_ipv4", "true"),
        ])),
        labels: Some(map([(NAMESPACE_LABEL, namespace)])),
        ..NetworkCreateRequest::default()
    }
}

/// Derives a fixed bridge name of 15 bytes, the kernel's limit. When two replicas create the network concurrently, engines before 25 create
/// two networks of the same name, and no container can start on either of them. The fixed bridge name prevents this: no engine creates two
/// bridges of the same name.
fn bridge_name(namespace: &str) -> String {
    let hash = Sha256::digest(namespace);
    hash[..6].iter().fold("vt-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> HashMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_request_for_a_container_has_only_the_expected_fields() {
        let environment = Uuid::from_u128(7);
        for image in Image::ALL {
            let expected = json!({
                "Image": image.reference(),
                "Entrypoint": [
                    "/bin/sh",
                    "-c",
                    "trap 'exit 0' TERM\nmkdir -p \"$HOME\"\necho \"ready: $0\"\nfor program in \"$HOME\"/.start/*; do\n    [ -f \"$program\" ] && /bin/sh \"$program\" &\ndone\nwhile :; do\n    sleep 3600 &\n    wait \"$!\"\ndone",
                    image.reference(),
                ],
                "User": "1000:1000",
                "Env": ["HOME=/tmp/home"],
                "WorkingDir": "/tmp",
                "Labels": { "vitrine.namespace": "ns", "vitrine.environment": "00000000-0000-0000-0000-000000000007" },
                "StopSignal": "SIGTERM",
                "StopTimeout": 3,
                "HostConfig": {
                    "Memory": 536_870_912,
                    "MemorySwap": 536_870_912,
                    "NanoCpus": 1_000_000_000,
                    "PidsLimit": 256,
                    "OomScoreAdj": 500,
                    "Privileged": false,
                    "CapDrop": ["ALL"],
                    "SecurityOpt": ["no-new-privileges:true"],
                    "IpcMode": "private",
                    "CgroupnsMode": "private",
                    "NetworkMode": "ns-environments",
                    "Dns": ["127.0.0.1"],
                    "RestartPolicy": { "Name": "no" },
                    "LogConfig": { "Type": "json-file", "Config": { "max-size": "10m", "max-file": "3" } },
                },
            });
            assert_eq!(serde_json::to_value(container("ns", environment, image)).unwrap(), expected);
        }
    }

    #[test]
    fn the_request_for_the_network_has_only_the_expected_fields() {
        let expected = json!({
            "Name": "ns-environments",
            "Driver": "bridge",
            "Internal": true,
            "EnableIPv6": false,
            "Options": {
                "com.docker.network.bridge.name": "vt-7bfba6e0021f",
                "com.docker.network.bridge.enable_icc": "false",
                "com.docker.network.bridge.inhibit_ipv4": "true",
            },
            "Labels": { "vitrine.namespace": "ns" },
        });
        assert_eq!(serde_json::to_value(network("ns")).unwrap(), expected);
    }
}
