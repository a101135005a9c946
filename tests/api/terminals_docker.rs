//! Terminals of the `docker` driver, on a real container engine: bytes in both directions, backpressure, and the end of all programs. The
//! driver runs a guard beside each terminal: a process that ends the terminal's programs when the client disconnects.

use std::time::Duration;

use uuid::Uuid;
use vitrine::features::environments::driver::Program;

use crate::support::driver_fixture::DriverFixture;
use crate::support::terminal::AtTerminal;
use crate::support::{eventually, when};

async fn open(fixture: &DriverFixture, environment: Uuid) -> AtTerminal {
    AtTerminal::of(fixture.terminal(environment, Program::Shell).await.unwrap())
}

/// The number of POSIX sessions in the container, without those of process 1 and of the script that counts them.
async fn sessions(fixture: &DriverFixture, environment: Uuid) -> usize {
    let look = "for process in /proc/[0-9]*; do
        stat=$(cat $process/stat) && set -- ${stat##*) } && echo $4
    done 2>/dev/null | sort -u | grep -vcx -e 1 -e $(cut -d ' ' -f 6 /proc/self/stat); true";
    fixture.exec(environment, look).await.unwrap().output.trim().parse().unwrap()
}

/// The number of processes in the container that sleep for this many seconds.
async fn asleep(fixture: &DriverFixture, environment: Uuid, seconds: &str) -> usize {
    let look = "for process in /proc/[0-9]*; do tr '\\0' ' ' <$process/cmdline; echo; done 2>/dev/null | grep '^sleep 471[1-4]'; true";
    let output = fixture.exec(environment, look).await.unwrap().output;
    output.lines().filter(|line| line.trim().ends_with(seconds)).count()
}

#[tokio::test]
async fn a_terminal_without_a_client_ends_with_all_of_its_processes() {
    let Some(fixture) = DriverFixture::docker().await else { return };
    let environment = fixture.running().await;
    assert_eq!(sessions(&fixture, environment).await, 0);
    let (mut left, mut held) = (open(&fixture, environment).await, open(&fixture, environment).await);
    left.types("sleep 4711 &\r(trap '' HUP; sleep 4712; sleep 4713) &\rsh\rtrap '' HUP TERM INT\recho rea''dy; sleep 4714\r").await;
    left.sees("\nready").await;
    for seconds in ["4711", "4712", "4714"] {
        eventually("the program is running", async || when(asleep(&fixture, environment, seconds).await == 1)).await;
    }
    assert_eq!(sessions(&fixture, environment).await, 4, "each terminal and each guard must have a session of its own");
    drop(left);
    eventually("one terminal has ended", async || when(sessions(&fixture, environment).await == 2)).await;
    for seconds in ["4711", "4712", "4713", "4714"] {
        assert_eq!(asleep(&fixture, environment, seconds).await, 0, "{seconds}");
    }
    held.types("echo st''ill\r").await;
    held.sees("\nstill").await;
    drop(held.output);
    eventually("the other terminal has ended", async || when(sessions(&fixture, environment).await == 0)).await;
}

#[tokio::test]
async fn a_terminal_that_is_dropped_while_it_opens_leaves_no_process() {
    let Some(fixture) = DriverFixture::docker().await else { return };
    let environment = fixture.running().await;
    for milliseconds in [1, 10, 30, 60, 90, 120, 150, 200, 300] {
        let _dropped = tokio::time::timeout(Duration::from_millis(milliseconds), fixture.terminal(environment, Program::Shell)).await;
    }
    eventually("no process is left", async || when(sessions(&fixture, environment).await == 0)).await;
}

#[tokio::test]
async fn the_guard_of_a_shell_exits_with_the_shell() {
    let Some(fixture) = DriverFixture::docker().await else { return };
    let environment = fixture.running().await;
    let mut at = open(&fixture, environment).await;
    // The terminal ends although a background program still has it open.
    at.types("sleep 4711 &\rexit\r").await;
    at.ends().await;
    drop(at);
    eventually("only the background program is left", async || when(sessions(&fixture, environment).await == 1)).await;
    assert_eq!(asleep(&fixture, environment, "4711").await, 1);
}

#[tokio::test]
async fn every_byte_passes_immediately_in_both_directions() {
    let Some(fixture) = DriverFixture::docker().await else { return };
    let environment = fixture.running().await;
    let mut at = open(&fixture, environment).await;
    at.types("stty raw -echo; echo rea''dy; cat\r").await;
    at.sees("ready\n").await;
    // Bytes that some layer could interpret: headers of the engine's frames, Docker's default keys to detach (0x10 0x11), Ctrl-C, Ctrl-D,
    // and invalid UTF-8.
    for bytes in [&b"\0\0\0\0\x7f\x7f\x7f\x7f"[..], b"\x01", b"\x02", b"\x10", b"\x10\x11", b"\x03\x04", b"\xff\xfe\x80"] {
        at.input.write(bytes).await.unwrap();
        at.sees(bytes).await;
    }
    let all: Vec<u8> = (0..=u8::MAX).collect::<Vec<_>>().repeat(8);
    at.input.write(&all).await.unwrap();
    at.sees(&all).await;
}

#[tokio::test]
async fn ctrl_c_interrupts_the_program() {
    let Some(fixture) = DriverFixture::docker().await else { return };
    let environment = fixture.running().await;
    let mut at = open(&fixture, environment).await;
    at.types("echo rea''dy; sleep 4711\r").await;
    at.sees("\nready").await;
    eventually("the program is running", async || when(asleep(&fixture, environment, "4711").await == 1)).await;
    at.types("\u{3}").await;
    at.types("echo aw''ake\r").await;
    at.sees("\nawake").await;
    assert_eq!(asleep(&fixture, environment, "4711").await, 0);
}

#[tokio::test]
async fn a_program_whose_output_is_not_read_waits() {
    let Some(fixture) = DriverFixture::docker().await else { return };
    let environment = fixture.running().await;
    let mut at = open(&fixture, environment).await;
    at.types("seq 10000000 | tee /tmp/written; echo do''ne\r").await;
    let written = async || fixture.exec(environment, "wc -c </tmp/written").await.unwrap().output;
    // The program stops writing when the buffers between it and the test are full.
    let stopped = eventually("the program has stopped writing", async || {
        let before = written().await;
        when(!before.trim().is_empty() && before != "0\n" && before == written().await).map(|()| before)
    })
    .await;
    assert!(stopped.trim().parse::<u64>().unwrap() < 16 << 20, "{stopped}");
    at.types("\u{3}echo en''ough\r").await;
    at.sees("\nenough").await;
}

#[tokio::test]
async fn tmux_is_refused_where_it_is_not_installed() {
    let Some(fixture) = DriverFixture::docker().await else { return };
    let environment = fixture.running().await;
    let error = fixture.terminal(environment, Program::Tmux(Uuid::now_v7())).await.err().unwrap();
    assert_eq!(error.to_string(), "the engine refused the call: tmux is not in this image");
    eventually("no process is left", async || when(sessions(&fixture, environment).await == 0)).await;
}
