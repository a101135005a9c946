//! Restricts the files that may use a crate or a module. Almost all rules check one line of code at a time.

use super::cycles::imports;
use super::sources::{file_name, sources};

/// Every line of code in `src` that mentions one of these Rust paths, except in the files that `allowed` accepts.
fn mentions(paths: &[&str], allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| !allowed(&source.path)) {
        for line in source.code() {
            if paths.iter().any(|path| mentions_path(line, path)) {
                wrong.push(format!("{}: {}", source.path, line.trim()));
            }
        }
    }
    wrong
}

/// Whether the line contains the path, not preceded by a letter, a digit, `_` or `:`.
fn mentions_path(line: &str, path: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    line.match_indices(path).any(|(at, _)| !line[..at].ends_with(is_part))
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sql_stays_in_the_database_module_and_the_stores() {
    assert_none(&mentions(&["sqlx::"], |path| path.starts_with("db/") || file_name(path) == "store.rs"));
}

#[test]
fn redis_stays_in_the_cache() {
    assert_none(&mentions(&["redis::"], |path| path.starts_with("cache/")));
}

#[test]
fn socket_io_stays_in_realtime_and_in_the_sockets_of_features() {
    assert_none(&mentions(&["socketioxide::", "socketioxide_core::"], |path| {
        path.starts_with("realtime/") || file_name(path) == "socket.rs"
    }));
}

#[test]
fn the_container_engine_stays_in_its_driver() {
    assert_none(&mentions(&["bollard::"], |path| path.starts_with("features/environments/driver/docker/")));
}

#[test]
fn the_mail_client_stays_in_the_mail_module() {
    assert_none(&mentions(&["lettre::"], |path| path.starts_with("mail/")));
}

#[test]
fn clients_of_other_services_stay_in_platforms_oauth_and_tools() {
    assert_none(&mentions(&["hyper_util::client::"], |path| {
        path.starts_with("platforms/") || path == "tools.rs" || path == "telemetry/export/collector.rs"
    }));
    assert_none(&mentions(&["openidconnect::", "oauth2::"], |path| path.starts_with("platforms/") || path.starts_with("features/oauth/")));
}

#[test]
fn only_telemetry_knows_how_it_is_exported() {
    let crates = ["opentelemetry::", "opentelemetry_http::", "opentelemetry_otlp::", "opentelemetry_sdk::", "tracing_opentelemetry::"];
    assert_none(&mentions(&crates, |path| path.starts_with("telemetry/")));
}

#[test]
fn the_layers_below_the_routes_know_no_http_framework() {
    let rules = ["model.rs", "store.rs", "service.rs", "events.rs", "limits.rs", "device.rs"];
    assert_none(&mentions(&["axum::", "axum_extra::"], |path| !(path.starts_with("features/") && rules.contains(&file_name(path)))));
}

#[test]
fn the_layers_below_the_routes_and_the_modules_below_them_know_no_http() {
    let rules = ["model.rs", "store.rs", "service.rs", "events.rs", "limits.rs", "device.rs"];
    let folders = ["db/", "cache/", "jobs/", "platforms/", "domain/"];
    assert_none(&mentions(&["crate::http"], |path| {
        let is_rule = path.starts_with("features/") && rules.contains(&file_name(path));
        !is_rule && !folders.iter().any(|folder| path.starts_with(folder))
    }));
}

#[test]
fn the_domain_imports_no_other_module() {
    let mut wrong = mentions(&["crate::", "axum::", "sqlx::"], |path| !path.starts_with("domain/"));
    wrong.retain(|line| !line.contains("crate::domain"));
    assert_none(&wrong);
}

#[test]
fn the_metrics_facade_stays_in_the_metrics_module() {
    let facade = ["use metrics::", "metrics::counter!", "metrics::gauge!", "metrics::histogram!", "metrics_exporter_prometheus::"];
    assert_none(&mentions(&facade, |path| path.starts_with("metrics/") || path == "main.rs"));
}

#[test]
fn the_metrics_module_imports_only_the_domain() {
    let mut wrong = mentions(&["crate::"], |path| !path.starts_with("metrics/"));
    wrong.retain(|line| !line.contains("crate::metrics") && !line.contains("crate::domain"));
    assert_none(&wrong);
}

#[test]
fn a_label_is_neither_an_argument_nor_a_field_of_the_api() {
    assert_none(&mentions(&["clap::", "serde::", "utoipa::"], |path| !path.starts_with("metrics/labels")));
}

#[test]
fn only_the_assembly_and_the_pages_know_the_features() {
    let assembly = ["app.rs", "router.rs", "state.rs", "fleet.rs", "lib.rs"];
    let folders = ["features/", "pages/", "demo/"];
    let may_know = |path: &str| folders.iter().any(|folder| path.starts_with(folder)) || assembly.contains(&path);
    assert_none(&mentions(&["crate::features", "vitrine::features"], may_know));
}

#[test]
fn http_and_realtime_know_no_state_of_the_application() {
    assert_none(&mentions(&["crate::state", "AppState"], |path| !path.starts_with("http/") && !path.starts_with("realtime/")));
}

#[test]
fn only_the_router_knows_the_pages() {
    assert_none(&mentions(&["crate::pages", "askama::", "rust_embed::"], |path| path.starts_with("pages/") || path == "router.rs"));
}

#[test]
fn pages_and_routes_use_no_store_and_no_connection() {
    let is_database = |module: &[String]| match module {
        [.., last] if last == "store" => true,
        [first] => first == "db",
        [first, second] => first == "db" && second == "conn",
        _ => false,
    };
    let asks = |module: &[String]| module[0] == "pages" || module.last().is_some_and(|last| last == "routes");
    for (module, targets) in imports(&sources("src")).iter().filter(|(module, _)| !module.is_empty() && asks(module)) {
        assert!(!targets.iter().any(|target| is_database(target)), "{module:?} imports {targets:?}");
    }
    assert_none(&mentions(&["state.db"], |path| !path.starts_with("pages/") && file_name(path) != "routes.rs"));
}

#[test]
fn the_layers_of_a_feature_point_downwards() {
    let below_routes = ["model.rs", "store.rs", "service.rs", "events.rs", "password.rs", "limits.rs", "device.rs"];
    assert_none(&mentions(&["super::routes", "super::guard"], |path| !below_routes.contains(&file_name(path))));
    assert_none(&mentions(&["super::service"], |path| !["model.rs", "store.rs", "events.rs"].contains(&file_name(path))));
    assert_none(&mentions(&["super::store", "super::events"], |path| !["model.rs", "routes.rs"].contains(&file_name(path))));
}

#[test]
fn fault_injection_is_known_only_at_its_injection_points_and_where_faults_are_managed() {
    let injection_points = ["http/faults.rs", "features/environments/driver/engine.rs", "features/accounts/service.rs"];
    let parts = ["app.rs", "state.rs", "router.rs", "pages/faults.rs"];
    let folders = ["db/", "realtime/", "features/faults/"];
    assert_none(&mentions(&["crate::fault_injection", "crate::http::faults", "crate::features::faults"], |path| {
        injection_points.contains(&path) || parts.contains(&path) || folders.iter().any(|folder| path.starts_with(folder))
    }));
}

#[test]
fn environment_variables_are_read_in_one_place() {
    assert_none(&mentions(&["std::env::", "env::var"], |path| path == "config/command_line.rs"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> =
        sources("src").into_iter().filter(|source| !source.text.starts_with("//! ")).map(|source| source.path).collect();
    assert_none(&silent);
}

#[test]
fn a_mention_does_not_begin_inside_a_name() {
    assert!(mentions_path("use redis::Cmd;", "redis::"));
    assert!(!mentions_path("use socketioxide_redis::Driver;", "redis::"));
    assert!(!mentions_path("use crate::metrics::labels;", "metrics::counter!"));
}
