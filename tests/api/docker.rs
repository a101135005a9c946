//! Behaviour that needs a real engine: scripts, a program's output, the isolation of containers, and the replacement of a removed network.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;
use vitrine::domain::LogStream;
use vitrine::features::environments::driver::{ContainerState, Exit, LINE_LIMIT, OUTPUT_LIMIT};

use crate::support::driver_fixture::{DriverFixture, take};
use crate::support::{eventually, when};

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

async fn output(fixture: &DriverFixture, environment: Uuid, text: &'static str) -> String {
    let exit = fixture.exec(environment, text).await.unwrap();
    assert_eq!(exit.code, 0, "{}", exit.output);
    exit.output
}

#[tokio::test]
async fn a_script_returns_its_exit_code_and_its_last_output() {
    let Some(fixture) = DriverFixture::docker().await else { return };
    let environment = fixture.running().await;
    let exit = fixture.exec(environment, "echo out; echo err >&2; exit 3").await.unwrap();
    assert_eq!(exit.code, 3);
    assert!(exit.output == "out\nerr\n" || exit.output == "err\nout\n", "{exit:?}");
    let exit = fixture.exec(environment, "seq 100000; echo; printf 'the \\033[1mend\\000\\377'").await.unwrap();
    assert_eq!(exit.code, 0);
    assert!(exit.output.ends_with("100000\n\nthe [1mend\u{fffd}"), "{exit:?}");
    assert!(exit.output.len() <= OUTPUT_LIMIT, "{}", exit.output.len());
    assert_eq!(fixture.exec(environment, "kill -9 $$").await.unwrap(), Exit { code: 137, output: "Killed\n".to_owned() });
}

#[tokio::test]
async fn a_script_without_a_caller_is_killed_with_its_children() {
    let Some(fixture) = DriverFixture::docker().await else { return };
    let environment = fixture.running().await;
    let count = "for process in /proc/[0-9]*; do tr '\\0' ' ' <$process/cmdline; echo; done 2>/dev/null | grep -c '^sleep 471[12]'; true";
    let asleep = async || output(&fixture, environment, count).await.trim().to_owned();
    let script = tokio::spawn({
        let engine = fixture.replica();
        async move {
            let script = vitrine::features::environments::driver::Script { requires: None, text: "sleep 4711 & sleep 4712" };
            engine.exec(environment, &script).await
        }
    });
    eventually("the script is running", async || when(asleep().await == "2")).await;
    script.abort();
    eventually("the script has ended", async || when(asleep().await == "0")).await;
    assert_eq!(fixture.state(environment).await, Some(ContainerState::Running), "the container must keep running");
}

#[tokio::test]
async fn any_output_of_a_program_becomes_lines() {
    let Some(fixture) = DriverFixture::docker().await else { return };
    let environment = fixture.running().await;
    let text = "{ head -c 40000 /dev/zero | tr '\\0' x; echo; printf 'a\\033[31mb\\tc\\000d\\377\\n'; echo; } >/proc/1/fd/1; echo last >/proc/1/fd/2";
    assert_eq!(output(&fixture, environment, text).await, "");
    let mut lines = take(&mut fixture.lines(environment, OffsetDateTime::UNIX_EPOCH).await, 5).await;
    // Stdout and stderr are separate pipes, so their lines may arrive in either order.
    lines.sort_by_key(|line| line.stream == LogStream::Stderr);
    let texts: Vec<&str> = lines.iter().map(|line| &*line.text).collect();
    assert_eq!(texts, ["ready: busybox:1.37", &"x".repeat(LINE_LIMIT), "a[31mb\tcd\u{fffd}", "", "last"]);
    assert_eq!(lines[4].stream, LogStream::Stderr);
}

#[tokio::test]
async fn a_container_has_no_privileges_and_limited_memory_and_processes() {
    let Some(fixture) = DriverFixture::docker().await else { return };
    let environment = fixture.running().await;
    let status = output(&fixture, environment, "id -u; id -g; pwd; echo $HOME; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/1/status").await;
    let status: Vec<&str> = status.split_whitespace().collect();
    let none = "0000000000000000";
    let expected = [
        "1000",
        "1000",
        "/tmp",
        "/tmp/home",
        "CapInh:",
        none,
        "CapPrm:",
        none,
        "CapEff:",
        none,
        "CapBnd:",
        none,
        "CapAmb:",
        none,
        "NoNewPrivs:",
        "1",
    ];
    assert_eq!(status[..expected.len()], expected);
    let limits = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null; true";
    assert_eq!(output(&fixture, environment, limits).await, "536870912\n256\n");
    for forbidden in [
        "echo x >/bin/x",
        "echo x >/etc/x",
        "mount -t tmpfs none /mnt",
        "mknod /tmp/x b 8 0",
        "cat /proc/1/environ /dev/mem",
        "chown 0 /tmp/home",
    ] {
        let exit = fixture.exec(environment, leaked(format!("{forbidden} 2>/dev/null"))).await.unwrap();
        assert_ne!(exit.code, 0, "{forbidden}: {}", exit.output);
    }
    output(&fixture, environment, "echo x >$HOME/x && echo x >/tmp/x").await;
}

#[tokio::test]
async fn a_container_cannot_reach_other_containers_the_host_or_other_machines() {
    let Some(fixture) = DriverFixture::docker().await else { return };
    let (here, there) = (fixture.running().await, fixture.running().await);
    let address = output(&fixture, there, "hostname -i").await.trim().to_owned();
    output(&fixture, there, "while :; do echo hello | nc -l -p 7777; done >/dev/null 2>&1 </dev/null &").await;
    let ask = |address: &str| leaked(format!("timeout 5 nc {address} 7777 </dev/null"));
    eventually("the server listens", async || when(fixture.exec(there, ask("127.0.0.1")).await.unwrap().output == "hello\n")).await;
    assert_eq!(fixture.exec(there, ask(&address)).await.unwrap().output, "hello\n", "the server must be reachable from its own container");
    let received = fixture.exec(here, ask(&address)).await.unwrap().output;
    assert!(!received.contains("hello"), "containers must be isolated: {received}");
    let (network, _) = address.rsplit_once('.').unwrap();
    let gateway = format!(
        "timeout 5 ping -c 1 -W 2 {network}.1 || timeout 5 nc -w 2 {network}.1 22 </dev/null || timeout 5 nc -w 2 192.0.2.1 80 </dev/null"
    );
    assert_ne!(fixture.exec(here, leaked(gateway)).await.unwrap().code, 0, "neither the host nor another machine may be reachable");
}

#[tokio::test]
async fn a_removed_network_is_created_again() {
    let Some(fixture) = DriverFixture::docker().await else { return };
    let (one, two) = (fixture.running().await, fixture.running().await);
    for restarts in [false, true] {
        fixture.engine.stop(one).await.unwrap();
        fixture.engine.stop(two).await.unwrap();
        fixture.client().remove_network(&format!("{}-environments", fixture.namespace())).await.unwrap();
        if restarts {
            fixture.engine.restart(one).await.unwrap();
        } else {
            fixture.engine.start(one).await.unwrap();
        }
        fixture.engine.start(two).await.unwrap();
        for environment in [one, two] {
            assert_eq!(fixture.state(environment).await, Some(ContainerState::Running));
            let interfaces = output(&fixture, environment, "ls /sys/class/net").await;
            assert_eq!(interfaces.split_whitespace().collect::<Vec<_>>(), ["eth0", "lo"]);
        }
    }
    fixture.created().await;
    tokio::time::timeout(Duration::from_secs(30), fixture.engine.restart(one)).await.unwrap().unwrap();
}
