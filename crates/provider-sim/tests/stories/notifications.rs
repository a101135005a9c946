//! The simulated Slack, `PagerDuty` and webhook: which requests they accept, which they refuse, and which notifications they store.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Stage};

const HOOK: &str = "slack/services/T000/B000/simulated";
const ENQUEUE: &str = "pagerduty/v2/enqueue";

impl Stage {
    async fn notify(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    async fn notifications(&self) -> Vec<Value> {
        self.get("notifications").await.json().as_array().unwrap().clone()
    }

    async fn disturb(&self, name: &str, knobs: Value) -> Answer {
        Answer::of(self.request(Method::PUT, &format!("knobs/{name}")).json(&knobs)).await
    }
}

/// A notification without its time of arrival, which varies.
fn without_time(mut notification: Value) -> Value {
    assert!(notification["received_at"].as_str().unwrap().ends_with('Z'), "{notification}");
    notification.as_object_mut().unwrap().remove("received_at");
    notification
}

fn slack(color: &str) -> Value {
    let fields =
        json!([{ "title": "Alert", "value": "ServiceDown", "short": true }, { "title": "Severity", "value": "critical", "short": true }]);
    json!({ "attachments": [{
        "title": "A replica does not answer", "title_link": "http://localhost:3001", "text": "Runbook: there", "fallback": "short",
        "callback_id": "", "footer": "", "color": color, "fields": fields, "mrkdwn_in": ["fallback", "pretext", "text"],
    }] })
}

fn event(action: &str) -> Value {
    json!({
        "routing_key": "0123456789abcdef0123456789abcdef", "event_action": action, "dedup_key": "of-the-group", "client": "Alertmanager",
        "client_url": "http://localhost:9093", "images": [], "links": [{ "href": "http://localhost:3001", "text": "Dashboard" }],
        "payload": {
            "summary": "ServiceDown: a replica does not answer", "source": "backend-1:4001", "severity": "critical", "class": "ServiceDown",
            "component": "backend", "custom_details": { "runbook": "there", "num_firing": 1 },
        },
    })
}

fn webhook(status: &str) -> Value {
    let alert = json!({
        "status": status, "labels": { "alertname": "Watchdog", "severity": "none" }, "annotations": { "summary": "Alerts arrive" },
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "0",
    });
    json!({
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": status, "receiver": "dead-man", "groupLabels": {},
        "commonLabels": { "severity": "none" }, "commonAnnotations": {}, "externalURL": "", "alerts": [alert],
    })
}

#[tokio::test]
async fn receivers_accept_the_notifications_of_alertmanager() {
    let stage = Stage::start().await;
    let answer = stage.notify(HOOK, &slack("danger")).await;
    assert_eq!((answer.status, &*answer.text), (200, "ok"));
    let answer = stage.notify(ENQUEUE, &event("trigger")).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json(), json!({ "status": "success", "message": "Event processed", "dedup_key": "of-the-group" }));
    assert_eq!(stage.notify("webhook", &webhook("firing")).await.status, 200);

    let stored: Vec<Value> = stage.notifications().await.into_iter().map(without_time).collect();
    let expected = [
        json!({
            "kind": "slack", "receiver": null, "alerts": ["ServiceDown"], "status": "firing", "severity": "critical", "key": null,
            "text": "A replica does not answer\nhttp://localhost:3001\nRunbook: there",
        }),
        json!({
            "kind": "pagerduty", "receiver": null, "alerts": ["ServiceDown"], "status": "firing", "severity": "critical",
            "key": "of-the-group",
            "text": "ServiceDown: a replica does not answer\nnum_firing: 1\nrunbook: there\nDashboard: http://localhost:3001",
        }),
        json!({
            "kind": "webhook", "receiver": "dead-man", "alerts": ["Watchdog"], "status": "firing", "severity": "none", "key": "{}:{}",
            "text": "Alerts arrive",
        }),
    ];
    assert_eq!(stored, expected);

    let page = stage.get("").await.text;
    assert!(page.contains("firing: ServiceDown <small>PagerDuty</small>") && page.contains("dead-man, severity none"), "{page}");
    assert_eq!(Answer::of(stage.request(Method::DELETE, "notifications")).await.status, 204);
    assert!(stage.notifications().await.is_empty());
}

#[tokio::test]
async fn each_receiver_recognises_resolved_notifications() {
    let stage = Stage::start().await;
    stage.notify(HOOK, &slack("good")).await;
    stage.notify(ENQUEUE, &event("resolve")).await;
    stage.notify("webhook", &webhook("resolved")).await;
    // As at PagerDuty, a resolve event needs no payload.
    let key = json!({ "routing_key": "0123456789abcdef0123456789abcdef", "event_action": "resolve", "dedup_key": "of-the-group" });
    assert_eq!(stage.notify(ENQUEUE, &key).await.status, 202);
    let statuses: Vec<Value> = stage.notifications().await.iter().map(|stored| stored["status"].clone()).collect();
    assert_eq!(statuses, ["resolved"; 4]);
}

#[tokio::test]
async fn slack_refuses_empty_and_malformed_messages() {
    let stage = Stage::start().await;
    for (body, reason) in [
        (json!({}), "no_text"),
        (json!({ "text": " " }), "no_text"),
        (json!({ "attachments": [] }), "no_text"),
        (json!({ "attachments": [{}] }), "no_text"),
        (json!({ "attachments": "none" }), "invalid_payload"),
        (json!(["text"]), "invalid_payload"),
    ] {
        let answer = stage.notify(HOOK, &body).await;
        assert_eq!((answer.status, &*answer.text), (400, reason), "{body}");
    }
    assert_eq!(stage.notify(HOOK, &json!({ "text": "hello", "channel": "#alerts" })).await.status, 200);
    let stored = stage.notifications().await;
    assert_eq!((stored.len(), &stored[0]["receiver"], &stored[0]["alerts"]), (1, &json!("#alerts"), &json!([])));
}

#[tokio::test]
async fn pagerduty_lists_the_errors_in_an_event() {
    let stage = Stage::start().await;
    let cases: [(&str, Value, &str); 7] = [
        ("/routing_key", json!("short"), "routing_key"),
        ("/event_action", json!("shout"), "event_action"),
        ("/payload/summary", json!(" "), "payload.summary"),
        ("/payload/source", json!(""), "payload.source"),
        ("/payload/severity", json!("none"), "payload.severity"),
        ("/payload", json!({}), "payload.summary"),
        ("/payload", json!("all well"), "payload"),
    ];
    for (pointer, wrong, about) in cases {
        let mut event = event("trigger");
        *event.pointer_mut(pointer).unwrap() = wrong;
        let answer = stage.notify(ENQUEUE, &event).await;
        assert_eq!(answer.status, 400, "{event}");
        let answer = answer.json();
        assert_eq!((&answer["status"], &answer["message"]), (&json!("invalid event"), &json!("Event object is invalid")));
        assert!(answer["errors"][0].as_str().unwrap().contains(about), "{about}: {answer}");
    }
    let mut keyless = event("resolve");
    keyless.as_object_mut().unwrap().remove("dedup_key");
    assert_eq!(stage.notify(ENQUEUE, &keyless).await.status, 400);
    keyless["event_action"] = json!("trigger");
    let made = stage.notify(ENQUEUE, &keyless).await.json()["dedup_key"].clone();
    assert_eq!((made.as_str().unwrap().len(), &stage.notifications().await[0]["key"]), (32, &made));
}

#[tokio::test]
async fn the_webhook_refuses_messages_with_an_invalid_field() {
    let stage = Stage::start().await;
    for (name, wrong) in [("version", json!("3")), ("alerts", json!([])), ("status", json!("perhaps")), ("receiver", Value::Null)] {
        let mut message = webhook("firing");
        message[name] = wrong;
        assert_eq!(stage.notify("webhook", &message).await.status, 422, "{name}");
    }
    assert!(stage.notifications().await.is_empty());
}

#[tokio::test]
async fn one_receiver_can_be_down_while_the_others_accept_notifications() {
    let stage = Stage::start().await;
    assert_eq!(stage.disturb("pagerduty", json!({ "outage": "error" })).await.status, 200);
    assert_eq!(stage.get("knobs").await.json()["pagerduty"], json!({ "outage": "error" }));
    assert_eq!(stage.notify(ENQUEUE, &event("trigger")).await.status, 503);
    assert_eq!(stage.notify(HOOK, &slack("danger")).await.status, 200);
    assert_eq!(stage.notifications().await.len(), 1);

    stage.disturb("slack", json!({ "outage": "refuse" })).await;
    assert!(stage.request(Method::POST, HOOK).json(&slack("danger")).send().await.is_err());
    assert_eq!(stage.disturb("slack", json!({ "latency_ms": 5 })).await.status, 422, "receivers support only outages");

    Answer::of(stage.request(Method::DELETE, "knobs")).await;
    assert_eq!(stage.notify(ENQUEUE, &event("trigger")).await.status, 202);
    assert_eq!(stage.notify(HOOK, &slack("danger")).await.status, 200);
}

#[tokio::test]
async fn text_of_an_alert_stays_text_on_the_page() {
    let stage = Stage::start().await;
    stage.notify(HOOK, &json!({ "text": "<script>alert('x')</script>", "channel": "<script>" })).await;
    let page = stage.get("").await.text;
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"), "{page}");
}
