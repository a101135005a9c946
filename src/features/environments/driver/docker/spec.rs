//! What a container of an environment is made of, and the network it is on. Pure functions of the namespace, the
//! environment and the image: no other word reaches the engine, so that no request can ask for more than stands here.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, NetworkCreateRequest, RestartPolicy,
    RestartPolicyNameEnum,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::super::Image;

/// On a container: the environment's identifier.
pub const ENVIRONMENT_LABEL: &str = "vitrine.environment";
/// On a container and on the network.
pub const NAMESPACE_LABEL: &str = "vitrine.namespace";

/// Bytes of memory, and no swap beyond it.
const MEMORY: i64 = 512 << 20;
/// One processor, in billionths.
const NANO_CPUS: i64 = 1_000_000_000;
/// Processes and threads.
const PIDS: i64 = 256;
/// Seconds from SIGTERM to SIGKILL.
const STOP_TIMEOUT: i64 = 3;
/// Of an ordinary user, who has no name in most images.
const USER: &str = "1000:1000";
/// That user may write in /tmp and nowhere else, in every image.
const HOME: &str = "/tmp/home";

/// Process 1, for any POSIX shell; its name is the image's. It starts what extensions have left to be started, and waits for a child because a shell runs a trap only
/// between commands, and the sleep may be as long as it likes.
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

/// The name of the network that a namespace's containers are on.
pub fn network_name(namespace: &str) -> String {
    format!("{namespace}-environments")
}

/// The container.
pub fn container(namespace: &str, environment: Uuid, image: Image) -> ContainerCreateBody {
    let command = ["/bin/sh", "-c", COMMAND, image.reference()];
    ContainerCreateBody {
        image: Some(image.reference().to_owned()),
        // In place of the image's own; its command goes with it.
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
            // When memory is short, an environment goes before the engine.
            oom_score_adj: Some(500),
            privileged: Some(false),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
            // The other namespaces are private unless asked otherwise; these two follow the engine's settings.
            ipc_mode: Some("private".to_owned()),
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
            network_mode: Some(network_name(namespace)),
            // Nobody, in the container itself: engines before 26 resolve names for it through the host.
            dns: Some(vec!["127.0.0.1".to_owned()]),
            // What died stays so: the reconciler tells it, and its owner starts it.
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

/// The network: its containers reach neither the outside, nor each other, nor the host, which has no address on it.
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

/// Engines before 25 make two networks of one name when two replicas ask at once, and then start nothing on either; no
/// engine makes two bridges of one name. A bridge's name has at most 15 bytes.
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
    fn the_body_of_a_container_is_this_and_nothing_else() {
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
    fn the_body_of_the_network_is_this_and_nothing_else() {
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
