//! Environments over Socket.IO: each status change arrives once, and clients that move between replicas read a log without a gap.

use serde_json::{Value, json};

use crate::support::{Ask, Socket, Sockets, Studio, TestApp, eventually, when};

async fn subscribe(socket: &Socket, environment: &str) -> Value {
    let subscribed = socket.emit("env:subscribe", json!({ "environment_id": environment })).await;
    assert_eq!(subscribed["environment_id"], environment, "{subscribed}");
    subscribed
}

/// The numbers of the log lines that a client received, in order.
fn numbers(socket: &Socket) -> Vec<i64> {
    let entries = |log: Value| log["entries"].as_array().unwrap().clone();
    socket.events("env:log").into_iter().flat_map(entries).map(|entry| entry["seq"].as_i64().unwrap()).collect()
}

fn statuses(socket: &Socket) -> Vec<String> {
    socket.events("env:status").iter().map(|status| status["status"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_status_change_is_received_once_on_every_replica() {
    let Some(sockets) = Sockets::start() else { return };
    let replicas = TestApp::replicas(2, &[]).await;
    let [a, b] = &replicas[..] else { unreachable!() };
    let studio = Studio::open(a).await;
    let id = studio.environment("web").await;
    let (both, one) = (sockets.connect(b, &studio.user.token).await, sockets.connect(a, &studio.user.token).await);
    for socket in [&both, &one] {
        let subscribed = subscribe(socket, &id).await;
        assert_eq!(subscribed, json!({ "environment_id": id, "status": "stopped", "last_error": null }));
    }
    let named = json!({ "project_id": studio.project });
    assert_eq!(both.emit("project:subscribe", named).await, json!({}));
    for (operation, status) in [("start", "running"), ("restart", "running"), ("stop", "stopped")] {
        studio.operate(&id, operation).await.expect(202);
        studio.until(&id, status).await;
    }
    studio.delete(&id).await.expect(202);
    for socket in [&both, &one] {
        socket.until("env:status", |status| status["status"] == "deleted").await;
        let mut events = socket.events("env:status");
        // A job may end on one replica before the other replica has announced the beginning of the operation.
        events.sort_by_key(|status| status["version"].as_i64());
        let statuses: Vec<&str> = events.iter().map(|status| status["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["starting", "running", "starting", "running", "stopping", "stopped", "deleting", "deleted"]);
        let first = events[0]["version"].as_i64().unwrap();
        for (version, status) in (first..).zip(&events) {
            assert_eq!(
                *status,
                json!({ "environment_id": id, "project_id": studio.project, "status": status["status"], "last_error": null, "version": version })
            );
        }
    }
}

#[tokio::test]
async fn the_reason_of_a_failure_is_received_on_another_replica() {
    let Some(sockets) = Sockets::start() else { return };
    let replicas = TestApp::replicas(2, &[]).await;
    let [a, b] = &replicas[..] else { unreachable!() };
    let studio = Studio::open(a).await;
    let (given_up, died) = (studio.running("given up").await, studio.running("died").await);
    let ada = sockets.connect(b, &studio.user.token).await;
    assert_eq!(ada.emit("project:subscribe", json!({ "project_id": studio.project })).await, json!({}));
    subscribe(&ada, &given_up).await;
    // The reconciler is delayed, so that the job that stops the environment discovers the missing container first.
    let hold = "INSERT INTO jobs (kind, payload, unique_key, run_at)
                VALUES ('environment_reconcile', 'null', 'environment_reconcile', now() + interval '1 day') ON CONFLICT DO NOTHING";
    eventually("the reconciler is delayed", async || when(a.stores.execute(hold).await == 1)).await;
    let behind = async |statement: &'static str, id: &str| {
        assert_eq!(sqlx::query(statement).bind(id).execute(a.stores.pool()).await.unwrap().rows_affected(), 1);
    };
    behind("DELETE FROM sim_containers WHERE environment_id = $1::uuid", &given_up).await;
    studio.operate(&given_up, "stop").await.expect(202);
    ada.until("env:status", |status| status["status"] == "error").await;
    ada.until("env:log", |log| log.to_string().contains("failed to stop")).await;
    behind("UPDATE sim_containers SET state = 'exited', exit_code = 137 WHERE environment_id = $1::uuid", &died).await;
    a.stores.execute("DELETE FROM jobs WHERE kind = 'environment_reconcile'").await;
    for (id, reason) in [(&given_up, "the container does not exist"), (&died, "the container exited with code 137")] {
        let event = ada.until("env:status", |status| status["environment_id"] == **id && status["status"] == "error").await;
        let now = studio.until(id, "error").await;
        assert_eq!(
            event,
            json!({ "environment_id": id, "project_id": studio.project, "status": "error", "last_error": reason, "version": event["version"] })
        );
        assert_eq!(now["last_error"], reason);
    }
    assert_eq!(statuses(&ada), ["stopping", "error", "error"]);
}

#[tokio::test]
async fn a_client_that_goes_from_replica_to_replica_reads_every_line_once() {
    let Some(sockets) = Sockets::start() else { return };
    let replicas = TestApp::replicas(3, &["--sim-lines-per-second=200"]).await;
    let studio = Studio::open(&replicas[0]).await;
    let id = studio.running("web").await;
    let mut read: Vec<i64> = Vec::new();
    let mut staying = Vec::new();
    for visit in 0..6 {
        let socket = sockets.connect(&replicas[visit % 3], &studio.user.token).await;
        let subscription = json!({ "environment_id": id, "last_seq": read.last().unwrap_or(&0) });
        assert_eq!(socket.emit("env:subscribe", subscription).await["status"], "running");
        let aim = read.len() + 150;
        eventually("lines arrive", async || when(read.len() + numbers(&socket).len() >= aim)).await;
        if visit % 2 == 0 {
            // Lines that arrive while the client disconnects are read, too: the service has sent them.
            socket.leave().await;
            read.extend(numbers(&socket));
        } else {
            read.extend(numbers(&socket));
            staying.push((socket, read.len()));
        }
    }
    assert_eq!(read, (1..=i64::try_from(read.len()).unwrap()).collect::<Vec<_>>());
    studio.operate(&id, "stop").await.expect(202);
    studio.until(&id, "stopped").await;
    let followed = "SELECT count(*) FROM log_streams WHERE followed_until > now()";
    eventually("the last line is stored", async || when(replicas[0].stores.count(followed).await == 0)).await;
    let last = replicas[0].stores.count("SELECT last_seq FROM log_streams").await;
    for (socket, _) in &staying {
        eventually("the last line has arrived", async || when(numbers(socket).last() == Some(&last))).await;
        let received = numbers(socket);
        assert_eq!(received, (received[0]..=last).collect::<Vec<_>>());
    }
    // The last 50 received lines equal the last 50 stored lines.
    let stored = studio.request(reqwest::Method::GET, &format!("/api/environments/{id}/logs?limit=50")).answer().await.expect(200).json();
    let received: Vec<Value> =
        staying[0].0.events("env:log").into_iter().flat_map(|log| log["entries"].as_array().unwrap().clone()).collect();
    assert_eq!(received[received.len() - 50..], *stored["items"].as_array().unwrap());
    let batches = staying[0].0.events("env:log");
    assert!(batches.iter().all(|log| log["environment_id"] == id && (1..=200).contains(&log["entries"].as_array().unwrap().len())));
}

#[tokio::test]
async fn a_subscription_starts_with_recent_log_lines_and_ends_when_the_client_unsubscribes() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::with(&["--sim-lines-per-second=200"]).await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    eventually("lines are stored", async || when(app.stores.count("SELECT last_seq FROM log_streams").await > 300)).await;
    let (ada, other) = (sockets.connect(&app, &studio.user.token).await, sockets.connect(&app, &studio.user.token).await);
    for socket in [&ada, &other] {
        subscribe(socket, &id).await;
        eventually("lines arrive", async || when(numbers(socket).len() > 100)).await;
        assert!(numbers(socket)[0] > 200);
    }
    assert_eq!(ada.emit("env:unsubscribe", json!({ "environment_id": id })).await, json!({}));
    let (before, others) = (ada.history().len(), numbers(&other).len());
    eventually("lines continue", async || when(numbers(&other).len() > others + 50)).await;
    studio.operate(&id, "stop").await.expect(202);
    other.until("env:status", |status| status["status"] == "stopped").await;
    assert_eq!(ada.history().len(), before);
    assert_eq!(statuses(&other), ["stopping", "stopped"]);
}

#[tokio::test]
async fn the_log_of_a_deleted_environment_is_no_longer_read() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.environment("web").await;
    let reads = async || app.scrape().await.get("db_queries_total", &[("operation", "select"), ("table", "log_entries")]);
    let ada = sockets.connect(&app, &studio.user.token).await;
    subscribe(&ada, &id).await;
    let before = reads().await;
    eventually("the log is read", async || when(reads().await > before)).await;
    studio.delete(&id).await.expect(202);
    ada.until("env:status", |status| status["status"] == "deleted").await;
    // While a client is subscribed to a log, the replica reads new lines at least every second. Once a second, the replica also polls for
    // logs that it can follow. Five polls without a read therefore show that no reader is left.
    let polls = async || app.scrape().await.get("db_queries_total", &[("operation", "update"), ("table", "log_streams")]);
    eventually("no reader is left", async || {
        let (read, polled) = (reads().await, polls().await);
        eventually("the replica polls five times", async || when(polls().await >= polled + 5.0)).await;
        when(reads().await == read)
    })
    .await;
}
