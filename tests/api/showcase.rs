//! The showcase: the public view of published projects, its order, and how soon it shows changes.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::through;
use crate::support::{Answer, Ask, Mode, Proxy, RECOVERY, Scrape, Stores, TestApp, User, eventually, when};

const KIND: [(&str, &str); 1] = [("cache_type", "showcase")];

/// The number of statements between two scrapes, on the tables that a visitor's request might read.
fn statements(after: &Scrape, before: &Scrape) -> f64 {
    ["projects", "project_members", "users", "auth_sessions"]
        .iter()
        .map(|table| after.since(before, "db_queries_total", &[("table", table)]))
        .sum()
}

/// Publishes a new project and returns its path.
async fn published(app: &TestApp, owner: &User, name: &str) -> String {
    let project = app.project(owner, name, "private").await;
    let path = format!("/api/projects/{}", project["id"].as_str().unwrap());
    app.post(&format!("{path}/publish")).bearer_auth(&owner.token).json(&json!({})).answer().await.expect(200);
    path
}

async fn page(app: &TestApp, limit: usize, cursor: Option<&str>) -> (Vec<String>, Option<String>) {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let page = app.get(&format!("/api/showcase?limit={limit}{cursor}")).answer().await.expect(200).json();
    (names(&page), page["next_cursor"].as_str().map(str::to_owned))
}

fn names(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

/// The names on all pages; `meanwhile` runs after each page.
async fn every_page(app: &TestApp, limit: usize, mut meanwhile: impl AsyncFnMut(usize)) -> Vec<String> {
    let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let (items, next) = page(app, limit, cursor.as_deref()).await;
        seen.extend(items);
        pages += 1;
        meanwhile(pages).await;
        cursor = next;
        if cursor.is_none() {
            return seen;
        }
    }
}

fn numbered(numbers: impl Iterator<Item = usize>) -> Vec<String> {
    numbers.map(|number| format!("old {number}")).collect()
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_projects_enter_and_leave() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut paths = Vec::new();
    for number in 0..11 {
        paths.push(published(&app, &ada, &format!("old {number}")).await);
    }
    let seen = every_page(&app, 3, async |pages| {
        published(&app, &ada, &format!("new {pages}")).await;
        if pages == 1 {
            // Unpublishes the last project of the first page. The cursor encodes its position and remains valid.
            app.as_user(&ada, Method::DELETE, &format!("{}/publish", paths[8])).answer().await.expect(200);
        }
    })
    .await;
    assert_eq!(seen, numbered((0..11).rev()));
    assert_eq!(page(&app, 3, None).await.0, ["new 4", "new 3", "new 2"]);
    // Publishing again makes the project the newest.
    app.post(&format!("{}/publish", paths[8])).bearer_auth(&ada.token).json(&json!({})).answer().await.expect(200);
    assert_eq!(page(&app, 2, None).await.0, ["old 8", "new 4"]);
}

#[tokio::test]
async fn projects_that_were_published_at_the_same_moment_are_paged_too() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for number in 0..7 {
        published(&app, &ada, &format!("old {number}")).await;
    }
    app.stores.execute("UPDATE projects SET published_at = '2026-01-02T03:04:05.123456Z'").await;
    assert_eq!(every_page(&app, 2, async |_| ()).await, numbered((0..7).rev()));
}

#[tokio::test]
async fn the_default_page_has_the_first_twenty_projects() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for number in 0..21 {
        published(&app, &ada, &format!("old {number}")).await;
    }
    for _ in 0..2 {
        // The first page comes from Postgres in the first round, and from the cache in the second. Each time it has a cursor.
        let first = app.get("/api/showcase").answer().await.expect(200).json();
        let (rest, end) = page(&app, 20, first["next_cursor"].as_str()).await;
        assert_eq!((names(&first).len(), rest.len(), end), (20, 1, None));
        forget(&app.stores).await;
        app.get("/api/showcase").answer().await.expect(200);
    }
}

#[tokio::test]
async fn invalid_cursors_and_limits_are_refused() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for number in 0..3 {
        published(&app, &ada, &format!("old {number}")).await;
    }
    let cursor = page(&app, 1, None).await.1.unwrap();
    let of_projects = app.as_user(&ada, Method::GET, "/api/projects?limit=1").answer().await.expect(200).json();
    let of_projects = of_projects["next_cursor"].as_str().unwrap();
    // A time after the year 8820, and a time that is negative when read as a signed number.
    let (late, later) = (format!("A{}", "_".repeat(31)), "_".repeat(32));
    let too_long = format!("{cursor}AAAA");
    for forged in ["", "x", "!!", "AAAA", of_projects, &cursor[4..], &too_long, &late, &later, &"A".repeat(3000), "%00", "%ff", "old-1"] {
        app.get(&format!("/api/showcase?cursor={forged}")).answer().await.problem(400, "invalid_cursor");
    }
    app.as_user(&ada, Method::GET, &format!("/api/projects?cursor={cursor}")).answer().await.problem(400, "invalid_cursor");
    for query in ["limit=0", "limit=101", "limit=x"] {
        app.get(&format!("/api/showcase?{query}")).answer().await.problem(400, "invalid_query");
    }
    // A client may invent a valid cursor, because a cursor is only a position in the list. This one stands for 1970, and no project is
    // older.
    assert_eq!(page(&app, 5, Some(&"A".repeat(32))).await, (Vec::new(), None));
}

#[tokio::test]
async fn an_impossible_slug_gets_404_without_access_to_postgres_or_the_cache() {
    let app = TestApp::start().await;
    let before = app.settled().await;
    let long = "x".repeat(5000);
    for slug in ["%00", "%ff", "..%2fprojects", "A", "First", "a.b", "-", "first%20page", "slug%20one", "new", "%F0%9F%A6%80", &long] {
        app.get(&format!("/api/showcase/{slug}")).answer().await.problem(404, "not_found");
    }
    let after = app.settled().await;
    assert_eq!(statements(&after, &before) + after.since(&before, "cache_misses_total", &KIND), 0.0);
}

/// Deletes the showcase's cache entries and tombstones, as if they had expired.
async fn forget(stores: &Stores) {
    // Waits first, because a replica that applied an invalidation after the deletion would store a tombstone again.
    stores.until_invalidations_are_applied().await;
    let mut redis = stores.redis().await;
    let pattern = format!("{}:cache:showcase:*", stores.prefix());
    let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut redis).await.unwrap();
    for key in keys {
        redis::cmd("DEL").arg(key).exec_async(&mut redis).await.unwrap();
    }
}

/// Caches the first page and one project, and asserts that every replica serves them from the cache.
async fn warm(replicas: &[TestApp; 2], slug: &str) {
    forget(&replicas[0].stores).await;
    let one = format!("/api/showcase/{slug}");
    for replica in replicas {
        replica.get("/api/showcase").answer().await.expect(200);
        replica.get(&one).answer().await.expect(200);
        let before = replica.settled().await;
        replica.get("/api/showcase?limit=20").answer().await.expect(200);
        replica.get(&one).answer().await.expect(200);
        let after = replica.settled().await;
        assert_eq!(after.since(&before, "cache_hits_total", &KIND), 2.0);
        assert_eq!(statements(&after, &before), 0.0);
    }
}

async fn assert_gone(app: &TestApp, slug: &str, name: &str) {
    app.get(&format!("/api/showcase/{slug}")).answer().await.problem(404, "not_found");
    assert!(!names(&app.get("/api/showcase").answer().await.expect(200).json()).contains(&name.to_owned()), "{name} is listed");
}

#[tokio::test]
async fn every_replica_immediately_shows_that_a_project_was_added_removed_or_changed() {
    let stores = Stores::new().await;
    let replicas = [TestApp::on(&stores, &[]).await, TestApp::on(&stores, &[]).await];
    let [one, two] = &replicas;
    let ada = one.user("ada").await;
    let private = json!({ "visibility": "private" });
    let ways: [(&str, Method, &str, Option<&Value>); 3] = [
        ("made private", Method::PATCH, "", Some(&private)),
        ("unpublished", Method::DELETE, "/publish", None),
        ("deleted", Method::DELETE, "", None),
    ];
    for (name, method, end, body) in ways {
        let path = published(one, &ada, name).await;
        let slug = name.replace(' ', "-");
        assert_eq!(page(two, 20, None).await.0, [name], "a newly published project must be visible");
        warm(&replicas, &slug).await;
        let mut request = one.as_user(&ada, method, &format!("{path}{end}")).header("if-match", "*");
        if let Some(body) = body {
            request = request.json(body);
        }
        assert!(request.answer().await.status < 300, "{name}");
        for replica in [two, one] {
            assert_gone(replica, &slug, name).await;
        }
    }

    let path = published(one, &ada, "name zero").await;
    warm(&replicas, "name-zero").await;
    let rename = one.as_user(&ada, Method::PATCH, &path).header("if-match", "*").json(&json!({ "name": "name one" }));
    rename.answer().await.expect(200);
    for replica in [two, one] {
        assert_eq!(replica.get("/api/showcase/name-zero").answer().await.expect(200).json()["name"], "name one");
        assert_eq!(page(replica, 20, None).await.0, ["name one"]);
    }
    one.as_user(&ada, Method::DELETE, &format!("{path}/publish")).answer().await.expect(200);
    let again = one.as_user(&ada, Method::POST, &format!("{path}/publish")).json(&json!({ "slug": "elsewhere" }));
    again.answer().await.expect(200);
    for replica in [two, one] {
        replica.get("/api/showcase/name-zero").answer().await.problem(404, "not_found");
        replica.get("/api/showcase/elsewhere").answer().await.expect(200);
    }
}

#[tokio::test]
async fn a_replica_does_not_show_a_project_that_is_removed_while_the_replica_loads_it() {
    let stores = Stores::new().await;
    let proxy = Proxy::before(&stores.database_url(), Mode::Pass).await;
    let slow = [&*through("database-url", &stores.database_url(), proxy.address), "--database-statement-timeout=15s"];
    let (one, two) = (TestApp::on(&stores, &[]).await, TestApp::on(&stores, &slow).await);
    let ada = one.user("ada").await;
    for (name, path) in [("Held back", "/api/showcase"), ("Held up", "/api/showcase/held-up")] {
        let project = published(&one, &ada, name).await;
        forget(&stores).await;
        // The project is unpublished while its row is on the way from Postgres to the other replica.
        proxy.set(Mode::HoldAnswersWith(name.as_bytes().to_vec())).await;
        let loading = two.get(path).answer();
        let leaving = async {
            proxy.until_holding().await;
            one.as_user(&ada, Method::DELETE, &format!("{project}/publish")).answer().await.expect(200);
            proxy.set(Mode::Pass).await;
        };
        let (loaded, ()) = tokio::join!(loading, leaving);
        assert!(!loaded.text().contains(name), "{}", loaded.text());
        assert_gone(&two, &name.to_lowercase().replace(' ', "-"), name).await;
    }
}

#[tokio::test]
async fn pages_other_than_the_default_page_are_not_cached() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for number in 0..3 {
        published(&app, &ada, &format!("old {number}")).await;
    }
    let cursor = page(&app, 1, None).await.1.unwrap();
    forget(&app.stores).await;
    let before = app.settled().await;
    for query in ["limit=19", "limit=100", &format!("cursor={cursor}")] {
        app.get(&format!("/api/showcase?{query}")).answer().await.expect(200);
    }
    let after = app.settled().await;
    let look_ups = after.since(&before, "cache_misses_total", &KIND) + after.since(&before, "cache_hits_total", &KIND);
    assert_eq!(look_ups, 0.0);
    // Visitors need no account, so nothing else is loaded.
    assert_eq!(statements(&after, &before), 3.0);
}

#[tokio::test]
async fn without_redis_the_showcase_is_read_from_postgres_and_is_correct() {
    let stores = Stores::new().await;
    let redis = Proxy::before(&stores.redis_url(), Mode::Pass).await;
    let replicas =
        [TestApp::on(&stores, &[&through("redis-url", &stores.redis_url(), redis.address)]).await, TestApp::on(&stores, &[]).await];
    let [proxied, healthy] = &replicas;
    proxied.until_status(RECOVERY, "ready").await;
    let ada = proxied.user("ada").await;
    let path = published(proxied, &ada, "One").await;
    warm(&replicas, "one").await;

    redis.set(Mode::Refuse).await;
    proxied.until_status(RECOVERY, "degraded").await;
    let before = proxied.settled().await;
    assert_eq!(page(proxied, 20, None).await.0, ["One"]);
    proxied.get("/api/showcase/one").answer().await.expect(200);
    proxied.as_user(&ada, Method::DELETE, &format!("{path}/publish")).answer().await.expect(200);
    assert_gone(proxied, "one", "One").await;
    let after = proxied.settled().await;
    assert!(after.since(&before, "cache_errors_total", &KIND) >= 4.0);
    assert_eq!(after.since(&before, "cache_hits_total", &KIND), 0.0);

    // The proxied replica flushes its pending invalidations before it reads Redis again. The other replica has removed the entries itself.
    redis.set(Mode::Pass).await;
    proxied.until_status(RECOVERY, "ready").await;
    for replica in [proxied, healthy] {
        assert_gone(replica, "one", "One").await;
    }
}

#[tokio::test]
async fn a_client_with_the_current_version_gets_304_until_the_project_changes_or_another_has_the_slug() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let path = published(&app, &ada, "One").await;
    let ask = async |known: &str| -> Answer { app.get("/api/showcase/one").header("if-none-match", known).answer().await };
    let tag = ask("\"1\"").await.expect(200).header("etag").to_owned();
    let weak = format!("W/{tag}, \"x\"");
    for known in [&*tag, &*weak, "*"] {
        let answer = ask(known).await.expect(304);
        assert_eq!((answer.body.len(), answer.header("etag")), (0, &*tag));
    }
    for unknown in ["\"2\"", ""] {
        ask(unknown).await.expect(200);
    }
    ask("garbage").await.problem(400, "invalid_header");
    let ask_if = |expected: &str| app.get("/api/showcase/one").header("if-match", expected);
    ask_if("\"2\"").answer().await.problem(412, "precondition_failed");
    ask_if(&tag).answer().await.expect(200);
    let change = app.as_user(&ada, Method::PATCH, &path).header("if-match", "*").json(&json!({ "description": "more" }));
    change.answer().await.expect(200);
    let changed = ask(&tag).await.expect(200);
    assert_eq!(changed.json()["description"], "more");

    // Another project gets the same slug and the same number of changes.
    app.as_user(&ada, Method::DELETE, &path).answer().await.expect(204);
    let other = published(&app, &ada, "One").await;
    let change = app.as_user(&ada, Method::PATCH, &other).header("if-match", "*").json(&json!({ "description": "less" }));
    change.answer().await.expect(200);
    assert_eq!(ask(changed.header("etag")).await.expect(200).json()["description"], "less");
}

#[tokio::test]
async fn fifty_concurrent_visitors_cause_one_statement() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    published(&app, &ada, "One").await;
    forget(&app.stores).await;
    let before = app.settled().await;
    let answers = join_all((0..50).map(|_| app.get("/api/showcase").answer()).collect::<Vec<_>>()).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && names(&answer.json()) == ["One"]));
    eventually("all requests are counted", async || {
        let after = app.settled().await;
        when(after.since(&before, "cache_hits_total", &KIND) + after.since(&before, "cache_misses_total", &KIND) == 50.0)
    })
    .await;
    assert_eq!(statements(&app.settled().await, &before), 1.0);
}
