//! Environments with several replicas: the replicas share the work, each environment is created and started once, and another replica
//! finishes the jobs of a killed one.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;

use crate::support::program::Program;
use crate::support::{Stores, Studio, TestApp, eventually, when, within};

/// Quotas that no test reaches, and a long time limit for acquiring a connection on a busy machine.
const MANY: [&str; 3] = ["--environments-per-project=1000", "--environments-per-user=1000", "--database-acquire-timeout=10s"];
/// Number of concurrent clients.
const CLIENTS: usize = 12;
/// Time limit for the recovery from the loss of a replica. The leases of its jobs expire within 10 s; the rest is for the jobs themselves.
const RECOVERY_LIMIT: Duration = Duration::from_secs(30);

/// Creates environments through these replicas in turn, waits until all are created, and returns their identifiers.
async fn create(studio: &Studio<'_>, replicas: &[TestApp], count: usize) -> Vec<String> {
    let each = stream::iter(0..count).map(async |number| {
        let through = Studio { app: &replicas[number % replicas.len()], user: studio.user.clone(), project: studio.project.clone() };
        through.create(&format!("env-{number}")).await.expect(201).json()["id"].as_str().unwrap().to_owned()
    });
    let ids: Vec<String> = each.buffer_unordered(CLIENTS).collect().await;
    // One query, because a request for each environment would load the fleet under test.
    let creating = "SELECT count(*) FROM environments WHERE status <> 'stopped'";
    eventually("all environments are created", async || when(studio.app.stores.count(creating).await == 0)).await;
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_replicas_create_and_start_each_environment_once() {
    let stores = Stores::new().await;
    // Two replicas alone would need more than a second, so the third has time to take a share.
    let arguments = [&MANY[..], &["--sim-latency=100ms", "--job-workers=4"]].concat();
    let replicas = join_all((0..3).map(|_| TestApp::on(&stores, &arguments))).await;
    let studio = Studio::open(&replicas[0]).await;
    let ids = create(&studio, &replicas, 100).await;
    let started = stream::iter(&ids).map(|id| studio.operate(id, "start")).buffer_unordered(CLIENTS);
    assert!(started.all(async |answer| answer.status == 202).await);
    let running = "SELECT count(*) FROM environments WHERE status = 'running'";
    eventually("all environments are running", async || when(stores.count(running).await == 100)).await;
    assert_eq!(stores.count("SELECT count(*) FROM sim_containers WHERE state = 'running'").await, 100);
    // Each driver call was made once, and every replica made some of the calls.
    let scrapes = join_all(replicas.iter().map(TestApp::settled)).await;
    for operation in ["create", "start"] {
        let calls: Vec<f64> = scrapes.iter().map(|scrape| scrape.get("docker_operations_total", &[("operation", operation)])).collect();
        assert_eq!(calls.iter().sum::<f64>(), 100.0, "{operation}: {calls:?}");
        assert!(calls.iter().all(|calls| *calls > 0.0), "{operation}: {calls:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_environment_starts_although_a_replica_is_killed_during_the_starts() {
    let stores = Stores::new().await;
    // The replica that serves the requests runs only one job at a time. The other replica therefore has most of the jobs when the test
    // kills it.
    let survivor = TestApp::on(&stores, &[&MANY[..], &["--sim-latency=20ms", "--job-workers=1"]].concat()).await;
    let studio = Studio::open(&survivor).await;
    let ids = create(&studio, std::slice::from_ref(&survivor), 50).await;
    let slow = [("SIM_LATENCY", "5s"), ("SIM_FAILURE_RATE", "0"), ("JOB_WORKERS", "40")];
    let mut victim = Program::serve(&stores, &slow).await;
    let busy = "SELECT count(*) FROM jobs WHERE lease_id IS NOT NULL AND kind = 'environment_change'";
    let starts = stream::iter(&ids).map(|id| studio.operate(id, "start")).buffer_unordered(CLIENTS);
    let (accepted, ()) = tokio::join!(
        starts.all(async |answer| answer.status == 202),
        eventually("many starts are running", async || when(stores.count(busy).await >= 10)),
    );
    assert!(accepted);
    victim.signal("KILL");
    victim.end().await;
    let untrue = "SELECT count(*) FROM environments e LEFT JOIN sim_containers c ON c.environment_id = e.id
                  WHERE e.status <> 'running' OR c.state IS DISTINCT FROM 'running'";
    within(RECOVERY_LIMIT, "every environment and its container are running", async || when(stores.count(untrue).await == 0)).await;
    assert_eq!(stores.count("SELECT count(*) FROM environments WHERE status = 'running'").await, 50);
    let left = "SELECT count(*) FROM jobs WHERE kind = 'environment_change'";
    eventually("no job is left", async || when(stores.count(left).await == 0)).await;
}
