//! The contract of every environment driver: the same tests for the simulated driver and, where an engine is available, for Docker.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;
use vitrine::features::environments::driver::{ContainerState, DriverError, Exit, Line, Program, Script};

use crate::support::driver_fixture::{DriverFixture, IMAGE, take, to_end};
use crate::support::eventually;
use crate::support::terminal::AtTerminal;

/// Makes one test per driver from each function.
macro_rules! on_every_driver {
    ($($story:ident),* $(,)?) => {
        mod sim {
            use crate::support::driver_fixture::DriverFixture;
            $(#[tokio::test] async fn $story() { super::$story(&DriverFixture::sim().await).await; })*
        }
        mod docker {
            use crate::support::driver_fixture::DriverFixture;
            $(#[tokio::test] async fn $story() {
                if let Some(fixture) = DriverFixture::docker().await { super::$story(&fixture).await; }
            })*
        }
    };
}

on_every_driver!(
    a_container_is_created_once_for_repeated_requests,
    starting_and_stopping_may_be_repeated,
    a_restart_from_every_state_ends_in_a_running_container,
    removing_may_be_repeated_and_also_removes_a_running_container,
    operations_that_require_a_container_fail_without_one,
    a_script_runs_only_in_a_running_container,
    the_output_of_a_script_names_a_missing_program,
    a_terminal_runs_a_shell_until_the_shell_exits,
    a_terminal_has_the_size_that_it_is_given,
    a_terminal_ends_with_its_container,
    a_terminal_requires_a_running_container,
    a_list_has_exactly_the_containers_of_its_namespace,
    a_reopened_log_continues_at_its_position,
    a_log_ends_when_its_container_stops_and_contains_all_output,
    every_replica_sees_and_changes_the_same_containers,
    a_dropped_call_leaves_nothing_half_done,
    calls_at_the_same_time_make_one_container,
    every_call_is_counted_once_with_its_outcome,
);

async fn a_container_is_created_once_for_repeated_requests(fixture: &DriverFixture) {
    let environment = Uuid::now_v7();
    let reference = fixture.engine.create(environment, IMAGE).await.unwrap();
    assert_eq!(fixture.engine.create(environment, IMAGE).await.unwrap(), reference);
    let container = fixture.engine.inspect(environment).await.unwrap().unwrap();
    assert_eq!((container.environment, &*container.reference, container.state), (environment, &*reference, ContainerState::Created));
    fixture.engine.start(environment).await.unwrap();
    assert_eq!(fixture.engine.create(environment, IMAGE).await.unwrap(), reference);
    assert_eq!(fixture.listed().await.len(), 1);
    assert_eq!(fixture.state(environment).await, Some(ContainerState::Running));
}

async fn starting_and_stopping_may_be_repeated(fixture: &DriverFixture) {
    let environment = fixture.created().await;
    fixture.engine.stop(environment).await.unwrap();
    assert_eq!(fixture.state(environment).await, Some(ContainerState::Created));
    for _ in 0..2 {
        fixture.start(environment).await;
        fixture.engine.start(environment).await.unwrap();
        assert_eq!(fixture.state(environment).await, Some(ContainerState::Running));
        for _ in 0..2 {
            fixture.engine.stop(environment).await.unwrap();
            assert_eq!(fixture.state(environment).await, Some(ContainerState::Exited { code: 0 }));
        }
    }
}

async fn a_restart_from_every_state_ends_in_a_running_container(fixture: &DriverFixture) {
    let environment = fixture.created().await;
    for _ in 0..2 {
        let since = OffsetDateTime::now_utc();
        fixture.engine.restart(environment).await.unwrap();
        assert_eq!(fixture.state(environment).await, Some(ContainerState::Running));
        fixture.until_ready(environment, since).await;
    }
    fixture.engine.stop(environment).await.unwrap();
    fixture.engine.restart(environment).await.unwrap();
    assert_eq!(fixture.state(environment).await, Some(ContainerState::Running));
}

async fn removing_may_be_repeated_and_also_removes_a_running_container(fixture: &DriverFixture) {
    for environment in [fixture.created().await, fixture.running().await] {
        for _ in 0..2 {
            fixture.engine.remove(environment).await.unwrap();
            assert_eq!(fixture.state(environment).await, None);
        }
    }
    assert_eq!(fixture.listed().await, []);
}

async fn operations_that_require_a_container_fail_without_one(fixture: &DriverFixture) {
    let nobody = Uuid::now_v7();
    let none = |error: DriverError| assert!(matches!(error, DriverError::NoContainer), "{error}");
    none(fixture.engine.start(nobody).await.unwrap_err());
    none(fixture.engine.stop(nobody).await.unwrap_err());
    none(fixture.engine.restart(nobody).await.unwrap_err());
    none(fixture.exec(nobody, "true").await.unwrap_err());
    none(fixture.terminal(nobody, Program::Shell).await.err().expect("the terminal must not open"));
    none(fixture.engine.logs(nobody, OffsetDateTime::UNIX_EPOCH).await.err().expect("the log must not open"));
    fixture.engine.remove(nobody).await.unwrap();
    assert_eq!(fixture.engine.inspect(nobody).await.unwrap(), None);
    fixture.engine.ping().await.unwrap();
    fixture.engine.pull(IMAGE).await.unwrap();
}

async fn a_script_runs_only_in_a_running_container(fixture: &DriverFixture) {
    let environment = fixture.created().await;
    let refused = |error: DriverError| assert_eq!(error.to_string(), "the engine refused the call: the container is not running");
    refused(fixture.exec(environment, "true").await.unwrap_err());
    fixture.engine.start(environment).await.unwrap();
    assert_eq!(fixture.exec(environment, "true").await.unwrap(), Exit { code: 0, output: String::new() });
    fixture.engine.stop(environment).await.unwrap();
    refused(fixture.exec(environment, "true").await.unwrap_err());
}

async fn the_output_of_a_script_names_a_missing_program(fixture: &DriverFixture) {
    let environment = fixture.running().await;
    let script = Script { requires: Some("cargo"), text: "exit 3" };
    let exit = fixture.engine.exec(environment, &script).await.unwrap();
    assert_eq!(exit, Exit { code: 127, output: "cargo is not in this image".to_owned() });
}

async fn a_terminal_runs_a_shell_until_the_shell_exits(fixture: &DriverFixture) {
    let environment = fixture.running().await;
    for end in ["exit\r", "\u{4}"] {
        let mut at = AtTerminal::of(fixture.terminal(environment, Program::Shell).await.unwrap());
        at.types("echo one  two\u{7f}\u{7f}wo\r").await;
        at.sees("\none two\r\n").await;
        at.types("pwd\rnothing-of-this-name\r").await;
        at.sees("\n/tmp/home\r\n").await;
        at.sees("nothing-of-this-name: not found\r\n").await;
        at.sees("$ ").await;
        at.types("echo forgotten").await;
        at.sees("forgotten").await;
        at.types("\u{3}").await;
        at.sees("^C").await;
        at.types("\recho heard\r").await;
        at.sees("\nheard\r\n").await;
        assert!(!at.text().contains("forgotten"), "{}", at.text());
        // The shell reads single keys only at its prompt. Before the prompt, the terminal itself would interpret Ctrl-D.
        at.sees("$ ").await;
        at.types(end).await;
        at.ends().await;
    }
}

async fn a_terminal_has_the_size_that_it_is_given(fixture: &DriverFixture) {
    let environment = fixture.running().await;
    let (mut one, mut two) = (
        AtTerminal::of(fixture.terminal(environment, Program::Shell).await.unwrap()),
        AtTerminal::of(fixture.terminal(environment, Program::Shell).await.unwrap()),
    );
    one.types("stty size\r").await;
    one.sees("\n24 80\r\n").await;
    one.resizes(500, 50).await;
    one.types("stty size\r").await;
    one.sees("\n50 500\r\n").await;
    two.types("stty size\r").await;
    two.sees("\n24 80\r\n").await;
}

async fn a_terminal_ends_with_its_container(fixture: &DriverFixture) {
    let environment = fixture.running().await;
    let (mut one, mut two) = (
        AtTerminal::of(fixture.terminal(environment, Program::Shell).await.unwrap()),
        AtTerminal::of(fixture.terminal(environment, Program::Shell).await.unwrap()),
    );
    one.types("echo here\r").await;
    one.sees("\nhere\r\n").await;
    fixture.engine.restart(environment).await.unwrap();
    one.ends().await;
    two.ends().await;
    let mut again = AtTerminal::of(fixture.terminal(environment, Program::Shell).await.unwrap());
    again.types("echo again\r").await;
    again.sees("\nagain\r\n").await;
    fixture.engine.remove(environment).await.unwrap();
    again.ends().await;
}

async fn a_terminal_requires_a_running_container(fixture: &DriverFixture) {
    let environment = fixture.created().await;
    let error = fixture.terminal(environment, Program::Shell).await.err().unwrap();
    assert_eq!(error.to_string(), "the engine refused the call: the container is not running");
}

async fn a_list_has_exactly_the_containers_of_its_namespace(fixture: &DriverFixture) {
    let neighbour = fixture.neighbour().await;
    let (mut here, there) = ([fixture.created().await, fixture.running().await, fixture.running().await], [neighbour.created().await]);
    fixture.engine.stop(here[2]).await.unwrap();
    here.sort();
    let environments =
        async |fixture: &DriverFixture| fixture.listed().await.iter().map(|container| container.environment).collect::<Vec<_>>();
    assert_eq!(environments(fixture).await, here);
    assert_eq!(environments(&neighbour).await, there);
    for container in fixture.listed().await {
        assert_eq!(fixture.engine.inspect(container.environment).await.unwrap(), Some(container));
    }
    fixture.engine.remove(here[1]).await.unwrap();
    assert_eq!(environments(fixture).await, [here[0], here[2]]);
    assert_eq!(neighbour.engine.inspect(here[0]).await.unwrap(), None, "a container of another namespace must be invisible");
}

/// Makes the container write many lines. A simulated container ignores the script and writes lines anyway.
async fn have_lines(fixture: &DriverFixture, environment: Uuid) {
    let text = "n=0; while [ $n -lt 100 ]; do echo line $n >/proc/1/fd/1; n=$((n + 1)); done";
    assert_eq!(fixture.exec(environment, text).await.unwrap(), Exit { code: 0, output: String::new() });
}

async fn a_reopened_log_continues_at_its_position(fixture: &DriverFixture) {
    let environment = fixture.running().await;
    have_lines(fixture, environment).await;
    let whole = take(&mut fixture.lines(environment, OffsetDateTime::UNIX_EPOCH).await, 90).await;
    assert!(whole.is_sorted_by_key(|line| line.at), "times must not decrease: {whole:?}");
    let mut read: Vec<Line> = Vec::new();
    for count in [1, 2, 30, 57] {
        let since = read.last().map_or(OffsetDateTime::UNIX_EPOCH, |line| line.at);
        let known = read.iter().filter(|line| line.at == since).count();
        let mut lines = fixture.lines(environment, since).await;
        let again = take(&mut lines, known).await;
        assert_eq!(again, read[read.len() - known..], "lines with exactly the requested time must be repeated");
        read.extend(take(&mut lines, count).await);
    }
    assert_eq!(read, whole);
}

async fn a_log_ends_when_its_container_stops_and_contains_all_output(fixture: &DriverFixture) {
    let environment = fixture.running().await;
    let followed = tokio::spawn(to_end(fixture.lines(environment, OffsetDateTime::UNIX_EPOCH).await));
    have_lines(fixture, environment).await;
    fixture.engine.stop(environment).await.unwrap();
    let followed = followed.await.unwrap();
    assert!(!followed.is_empty());
    let afterwards = to_end(fixture.lines(environment, OffsetDateTime::UNIX_EPOCH).await).await;
    assert_eq!(afterwards, followed, "the log of an ended container must be complete and end");
    let last = followed.last().unwrap();
    let end = to_end(fixture.lines(environment, last.at).await).await;
    assert_eq!(end.last(), Some(last));
    let after = last.at + time::Duration::nanoseconds(1);
    assert_eq!(to_end(fixture.lines(environment, after).await).await, []);
}

async fn every_replica_sees_and_changes_the_same_containers(fixture: &DriverFixture) {
    let other = fixture.replica();
    let environment = fixture.running().await;
    assert_eq!(other.list().await.unwrap(), fixture.listed().await);
    assert_eq!(other.create(environment, IMAGE).await.unwrap(), fixture.listed().await[0].reference);
    other.stop(environment).await.unwrap();
    assert_eq!(fixture.state(environment).await, Some(ContainerState::Exited { code: 0 }));
    let mine = to_end(fixture.lines(environment, OffsetDateTime::UNIX_EPOCH).await).await;
    let others = to_end(other.logs(environment, OffsetDateTime::UNIX_EPOCH).await.unwrap()).await;
    assert_eq!(mine, others);
    other.remove(environment).await.unwrap();
    assert_eq!(fixture.state(environment).await, None);
}

async fn a_dropped_call_leaves_nothing_half_done(fixture: &DriverFixture) {
    // Time limits that drop a call at any stage: just started, half done or finished.
    for milliseconds in [0, 1, 3, 10, 30, 100, 300] {
        let moment = Duration::from_millis(milliseconds);
        let environment = Uuid::now_v7();
        let _dropped = tokio::time::timeout(moment, fixture.engine.create(environment, IMAGE)).await;
        fixture.engine.create(environment, IMAGE).await.unwrap();
        let since = OffsetDateTime::now_utc();
        let _dropped = tokio::time::timeout(moment, fixture.engine.start(environment)).await;
        fixture.engine.start(environment).await.unwrap();
        fixture.until_ready(environment, since).await;
        let _dropped = tokio::time::timeout(moment, fixture.engine.restart(environment)).await;
        // The engine finishes a restart or removal even if the call is dropped. Until then, another call may fail.
        eventually("the container starts", async || fixture.engine.start(environment).await.ok()).await;
        let _dropped = tokio::time::timeout(moment, fixture.engine.remove(environment)).await;
        eventually("the container is removed", async || fixture.engine.remove(environment).await.ok()).await;
        assert_eq!(fixture.listed().await, []);
    }
}

async fn calls_at_the_same_time_make_one_container(fixture: &DriverFixture) {
    let (other, environment) = (fixture.replica(), Uuid::now_v7());
    // With Docker, these calls also concurrently create the Docker network of the containers.
    let made = tokio::join!(
        fixture.engine.create(environment, IMAGE),
        other.create(environment, IMAGE),
        fixture.engine.create(environment, IMAGE),
        other.create(environment, IMAGE),
    );
    let reference = made.0.unwrap();
    for same in [made.1, made.2, made.3] {
        assert_eq!(same.unwrap(), reference);
    }
    let (one, two) = tokio::join!(fixture.engine.start(environment), other.start(environment));
    one.and(two).unwrap();
    assert_eq!(fixture.state(environment).await, Some(ContainerState::Running));
    let (one, two) = tokio::join!(fixture.engine.remove(environment), other.remove(environment));
    one.and(two).unwrap();
    assert_eq!(fixture.listed().await, []);
}

async fn every_call_is_counted_once_with_its_outcome(fixture: &DriverFixture) {
    let before = fixture.scrape();
    let environment = Uuid::now_v7();
    fixture.engine.ping().await.unwrap();
    fixture.engine.pull(IMAGE).await.unwrap();
    fixture.engine.start(environment).await.unwrap_err();
    fixture.engine.create(environment, IMAGE).await.unwrap();
    fixture.engine.create(environment, IMAGE).await.unwrap();
    fixture.exec(environment, "true").await.unwrap_err();
    fixture.engine.start(environment).await.unwrap();
    fixture.exec(environment, "true").await.unwrap();
    drop(fixture.terminal(environment, Program::Shell).await.unwrap());
    drop(fixture.lines(environment, OffsetDateTime::UNIX_EPOCH).await);
    fixture.engine.inspect(environment).await.unwrap();
    fixture.engine.list().await.unwrap();
    fixture.engine.restart(environment).await.unwrap();
    fixture.engine.stop(environment).await.unwrap();
    let (silent, _engine) = fixture.silent(Duration::from_millis(20)).await;
    let error = silent.inspect(environment).await.unwrap_err();
    assert!(matches!(error, DriverError::Timeout), "{error}");
    let (silent, _engine) = fixture.silent(Duration::from_hours(1)).await;
    let cancelled = tokio::time::timeout(Duration::from_millis(20), silent.list()).await;
    assert!(cancelled.is_err(), "the engine must not respond");
    fixture.engine.remove(environment).await.unwrap();
    let expected = [
        ("ping success", 1.0),
        ("pull success", 1.0),
        ("start failure", 1.0),
        ("create success", 2.0),
        ("exec failure", 1.0),
        ("start success", 1.0),
        ("exec success", 2.0),
        ("logs success", 1.0),
        ("inspect success", 1.0),
        ("list success", 1.0),
        ("restart success", 1.0),
        ("stop success", 1.0),
        ("inspect failure", 1.0),
        ("list failure", 1.0),
        ("remove success", 1.0),
    ];
    assert_eq!(
        fixture.calls_since(&before),
        expected.map(|(call, count)| (call.to_owned(), count)).into_iter().collect::<BTreeMap<_, _>>()
    );
}
