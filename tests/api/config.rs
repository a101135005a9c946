//! The real binary: its environment variables, the secrets that it must not print, its exit codes and its shutdown.

use tokio::net::TcpStream;

use crate::support::certificates::Authority;
use crate::support::program::{Program, output_text, run, vitrine};
use crate::support::users::PASSWORD;
use crate::support::{Raw, Stores, eventually, when};

const DATABASE: (&str, &str) = ("DATABASE_URL", "postgres://somebody:hunter2hunter2@127.0.0.1:1/db");
const REDIS: (&str, &str) = ("REDIS_URL", "redis://:hunter2hunter2@127.0.0.1:1");
const CHECK: [&str; 2] = ["config", "--check"];

/// Asserts that `config --check` fails, names the variable or its option, and does not print the secret.
#[track_caller]
fn assert_refused(name: &str, variables: &[(&str, &str)]) {
    let output = run(&CHECK, variables);
    let text = output_text(&output);
    assert!(!output.status.success(), "{variables:?}: {text}");
    let option = format!("--{}", name.to_lowercase().replace('_', "-"));
    assert!(text.contains(name) || text.contains(&option), "the error must name {name}: {text}");
    assert!(!text.contains("hunter2"), "a secret is printed: {text}");
}

#[test]
fn a_valid_configuration_passes_the_check() {
    let output = run(&CHECK, &[DATABASE, REDIS]);
    assert!(output.status.success(), "{}", output_text(&output));
    assert!(!output_text(&output).contains("hunter2"));
}

#[test]
fn an_error_names_a_missing_variable() {
    assert_refused("DATABASE_URL", &[REDIS]);
    assert_refused("REDIS_URL", &[DATABASE]);
}

#[test]
fn an_error_names_an_invalid_variable_and_no_secret() {
    for (name, value) in [
        ("DATABASE_URL", "not a url hunter2hunter2"),
        ("DATABASE_URL", "mysql://somebody:hunter2hunter2@127.0.0.1/db"),
        ("DATABASE_URL", "postgres://somebody:hunter2hunter2@127.0.0.1:99999/db"),
        ("DATABASE_URL", ""),
        ("REDIS_URL", "http://:hunter2hunter2@127.0.0.1"),
        ("REDIS_URL", "hunter2hunter2"),
        ("REDIS_URL", "rediss://:hunter2hunter2@127.0.0.1#insecure"),
        ("REDIS_CA_FILE", "/nowhere"),
        ("REDIS_PASSWORD_FILE", "/nowhere"),
        ("DATABASE_URL", "postgres://somebody:hunter2hunter2@127.0.0.1/db?sslmode=sometimes"),
        ("DATABASE_URL", "postgres://somebody:hunter2hunter2@127.0.0.1/db?sslrootcert=/nowhere"),
        ("DATABASE_URL", "postgres://somebody:hunter2hunter2@127.0.0.1/db?sslmode=require&sslrootcert=/nowhere"),
        ("DATABASE_URL", "postgres://somebody:hunter2hunter2@127.0.0.1/db?sslmode=verify-full&sslrootcert=/nowhere"),
        ("DATABASE_DIRECT_URL", "http://somebody:hunter2hunter2@127.0.0.1/db"),
        ("DATABASE_PASSWORD_FILE", "/nowhere"),
        ("ENVIRONMENT", "moon"),
        ("LISTEN_ADDRESS", "nowhere"),
        ("LISTEN_ADDRESS", "127.0.0.1"),
        ("PUBLIC_URL", "ftp://vitrine.example"),
        ("PUBLIC_URL", "vitrine.example"),
        ("TRUSTED_PROXIES", "here"),
        ("TRUSTED_PROXIES", "10.0.0.0/99"),
        ("DATABASE_MAX_CONNECTIONS", "0"),
        ("DATABASE_MAX_CONNECTIONS", "many"),
        ("DATABASE_STATEMENT_TIMEOUT", "5"),
        ("DATABASE_STATEMENT_TIMEOUT", "999us"),
        ("DATABASE_STATEMENT_TIMEOUT", "25d"),
        ("PLATFORM_TIMEOUT", "16s"),
        ("SMTP_URL", "http://somebody:hunter2hunter2@127.0.0.1"),
        ("SMTP_URL", "hunter2hunter2"),
        ("DRAIN_DELAY", "soon"),
        ("REQUEST_TIMEOUT", "-1s"),
        ("SESSION_LIFETIME", "1 fortnight"),
        ("BODY_LIMIT", "-1"),
        ("LOGIN_ATTEMPTS_PER_ACCOUNT", "1.5"),
        ("LOGIN_ATTEMPTS_PER_ACCOUNT", "0"),
        ("LOGIN_ATTEMPTS_BY_STRANGERS", "0"),
        ("LOGIN_ATTEMPTS_PER_ADDRESS", "0"),
        ("LOGINS_AT_ONCE_PER_ADDRESS", "0"),
        ("REGISTRATIONS_PER_MINUTE", "0"),
        ("OAUTH_PER_MINUTE", "0"),
        ("ENVIRONMENT_NAMESPACE", "../../images"),
        ("ENVIRONMENT_NAMESPACE", "a/b"),
        ("ENVIRONMENT_NAMESPACE", "a?force=true"),
        ("ENVIRONMENT_NAMESPACE", "a\",\"Privileged\":true,\"b\":\""),
        ("ENVIRONMENT_NAMESPACE", "a\nb"),
        ("ENVIRONMENT_NAMESPACE", "-a"),
        ("ENVIRONMENT_NAMESPACE", "Vitrine"),
        ("ENVIRONMENT_NAMESPACE", "größe"),
        ("ENVIRONMENT_NAMESPACE", "a1234567890123456789012345678901234567890"),
        ("DOCKER_HOST", "tcp://127.0.0.1:2375"),
        ("DOCKER_HOST", "/var/run/docker.sock"),
        ("READINESS_REQUIRES", "redis"),
        ("READINESS_REQUIRES", "postgres,moon"),
        ("FAULTS", "perhaps"),
        ("DEMO_TRAFFIC", "perhaps"),
        ("GRAFANA_URL", "somewhere"),
        ("PROMETHEUS_URL", "ftp://prometheus.example"),
        ("MAIL_URL", "http://somebody:hunter2hunter2@mail.example"),
        ("TOOL_ADDRESSES", "grafana"),
        ("TOOL_ADDRESSES", "moon=http://moon.example"),
        ("TOOL_ADDRESSES", "grafana=http://grafana:3000,prometheus=here"),
        ("TOOL_ADDRESSES", "grafana=http://somebody:hunter2hunter2@grafana:3000"),
        ("LOG", "vitrine=loudly"),
        ("LOG", "[request]=info"),
        ("ACCESS_LOG_SAMPLE", "1.5"),
        ("OTEL_TRACES_SAMPLER_ARG", "-0.1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://somebody:hunter2hunter2@collector:4318"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_LOGS_EXPORTER", "console"),
        ("SLOW_REQUEST", "0s"),
        ("LOG_FORMAT", "xml"),
    ] {
        let given = [DATABASE, REDIS].into_iter().filter(|(other, _)| *other != name);
        assert_refused(name, &given.chain([(name, value)]).collect::<Vec<_>>());
    }
}

/// Every variable that `vitrine config` prints, and the `_FILE` variable of every secret.
fn variables() -> Vec<String> {
    let printed = output_text(&run(&["config"], &[DATABASE, REDIS]));
    let named = printed.split("[env: ").skip(1).filter_map(|rest| rest.split(['=', ']']).next()).map(str::to_owned);
    let files =
        ["DATABASE_URL_FILE", "DATABASE_DIRECT_URL_FILE", "REDIS_URL_FILE", "METRICS_TOKEN_FILE", "TOKEN_KEYS_FILE"].map(str::to_owned);
    named.chain(files).collect()
}

#[test]
fn an_empty_variable_is_an_absent_one() {
    let variables = variables();
    assert!(variables.len() > 40 && variables.iter().any(|name| name == "METRICS_TOKEN"), "{variables:?}");
    for name in variables.iter().filter(|name| !["DATABASE_URL", "REDIS_URL"].contains(&name.as_str())) {
        for environment in ["development", "production"] {
            let given = [DATABASE, REDIS, ("ENVIRONMENT", environment)].into_iter().filter(|(other, _)| other != name);
            let output = run(&CHECK, &given.chain([(name.as_str(), "")]).collect::<Vec<_>>());
            assert!(output.status.success(), "{name}= in {environment}: {}", output_text(&output));
        }
    }
}

#[test]
fn a_switch_accepts_the_usual_spellings_and_the_list_of_proxies_may_be_empty() {
    for value in ["true", "false", "1", "0", "yes", "no", "on", "off"] {
        assert!(run(&CHECK, &[DATABASE, REDIS, ("FAULTS", value)]).status.success(), "FAULTS={value}");
    }
    for value in ["none", "10.0.0.0/8", "10.0.0.0/8, ::1/128"] {
        assert!(run(&CHECK, &[DATABASE, REDIS, ("TRUSTED_PROXIES", value)]).status.success(), "TRUSTED_PROXIES={value}");
    }
}

#[test]
fn a_secret_may_come_from_a_file() {
    let folder = tempdir();
    let write = |name: &str, text: &str| {
        let path = folder.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (database, redis, token) = (write("database", &format!("{}\n", DATABASE.1)), write("redis", REDIS.1), write("token", "short"));
    let files = [("DATABASE_URL_FILE", &*database), ("REDIS_URL_FILE", &*redis)];
    let output = run(&CHECK, &files);
    assert!(output.status.success(), "{}", output_text(&output));
    let production = [files[0], files[1], ("METRICS_TOKEN_FILE", &*token), ("ENVIRONMENT", "production")];
    assert_refused("METRICS_TOKEN", &production);
    let empty = [files[0], files[1], ("METRICS_TOKEN_FILE", &*write("none", "\n")), ("ENVIRONMENT", "production")];
    assert!(run(&CHECK, &empty).status.success(), "an empty file must mean no token");
    let missing = folder.0.join("missing").display().to_string();
    assert_refused("DATABASE_URL_FILE", &[("DATABASE_URL_FILE", &missing), REDIS]);
    let wrong = write("wrong", "mysql://somebody:hunter2hunter2@127.0.0.1/db\n");
    assert_refused("DATABASE_URL", &[("DATABASE_URL_FILE", &wrong), REDIS]);
    assert_refused("DATABASE_URL", &[("DATABASE_URL_FILE", &write("empty", "\n")), REDIS]);
}

#[test]
fn files_of_stores_are_checked_before_the_start() {
    let folder = tempdir();
    let write = |name: &str, text: &str| {
        let path = folder.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let authority = Authority::new("ours");
    let (good, empty) = (write("good", &authority.pem()), write("empty", "\n"));
    let (key, cut) = (write("key", &authority.certify(&["x"]).key), write("cut", &authority.pem()[..100]));
    let tls = ("REDIS_URL", "rediss://:hunter2hunter2@127.0.0.1:1");
    assert!(run(&CHECK, &[DATABASE, tls, ("REDIS_CA_FILE", &good)]).status.success());
    assert!(run(&CHECK, &[DATABASE, tls]).status.success());
    assert_refused("REDIS_CA_FILE", &[DATABASE, REDIS, ("REDIS_CA_FILE", &good)]);
    for path in [&empty, &key, &cut] {
        assert_refused("REDIS_CA_FILE", &[DATABASE, tls, ("REDIS_CA_FILE", path)]);
        let url = format!("{}?sslmode=verify-full&sslrootcert={path}", DATABASE.1);
        assert_refused("sslrootcert", &[("DATABASE_URL", &url), REDIS]);
    }
    let url = format!("{}?sslmode=verify-full&sslrootcert={good}", DATABASE.1);
    assert!(run(&CHECK, &[("DATABASE_URL", &url), REDIS]).status.success());

    let (database, redis) = (("DATABASE_URL", "postgres://somebody@127.0.0.1:1/db"), ("REDIS_URL", "redis://127.0.0.1:1"));
    let (password, known) = (write("password", "hunter2hunter2\n"), write("known", "postgres\n"));
    for (name, without, with) in
        [("DATABASE_PASSWORD_FILE", [database, REDIS], DATABASE), ("REDIS_PASSWORD_FILE", [DATABASE, redis], REDIS)]
    {
        let given = |path| [without[0], without[1], (name, path)];
        assert!(run(&CHECK, &given(&password)).status.success(), "{name}");
        assert_refused(name, &given(&empty));
        assert_refused(name, &[&given(&known)[..], &[("ENVIRONMENT", "production")]].concat());
        let other = if with.0 == DATABASE.0 { REDIS } else { DATABASE };
        assert_refused(name, &[with, other, (name, &password)]);
    }
}

#[test]
fn production_refuses_known_passwords_and_short_metrics_tokens() {
    for password in ["vitrine", "postgres", "password", "secret", "changeme", "admin"] {
        let (database, redis) = (format!("postgres://vitrine:{password}@127.0.0.1/db"), format!("redis://:{password}@127.0.0.1"));
        let (database, redis) = (("DATABASE_URL", &*database), ("REDIS_URL", &*redis));
        let production = ("ENVIRONMENT", "production");
        assert_refused("DATABASE_URL", &[database, REDIS, production]);
        assert_refused("REDIS_URL", &[DATABASE, redis, production]);
        assert!(run(&CHECK, &[database, redis]).status.success(), "development must accept these passwords");
    }
    assert!(run(&CHECK, &[DATABASE, REDIS, ("ENVIRONMENT", "production")]).status.success());
    assert_refused("METRICS_TOKEN", &[DATABASE, REDIS, ("ENVIRONMENT", "production"), ("METRICS_TOKEN", "hunter2")]);
}

#[test]
fn production_refuses_pages_that_reload_themselves() {
    assert_refused("RELOAD_PAGES", &[DATABASE, REDIS, ("ENVIRONMENT", "production"), ("RELOAD_PAGES", "on")]);
    assert!(run(&CHECK, &[DATABASE, REDIS, ("RELOAD_PAGES", "on")]).status.success());
}

#[test]
fn printing_the_configuration_reveals_no_secret() {
    for arguments in [&["config"][..], &["--help"], &["--version"]] {
        let output = run(arguments, &[DATABASE, REDIS, ("METRICS_TOKEN", "hunter2hunter2hunter2")]);
        assert!(output.status.success() && !output.stdout.is_empty(), "{}", output_text(&output));
        assert!(!output_text(&output).contains("hunter2"), "{}", output_text(&output));
    }
    let printed = output_text(&run(&["config"], &[DATABASE, REDIS]));
    for name in ["DATABASE_URL", "REQUEST_TIMEOUT", "LOGIN_WINDOW", "READINESS_REQUIRES"] {
        assert!(printed.contains(name), "{name}");
    }
}

#[test]
fn a_program_that_cannot_start_prints_the_reason_without_the_secret() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["serve"], &[DATABASE, REDIS, ("LISTEN_ADDRESS", &address)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output_text(&output).contains("in use") && !output_text(&output).contains("hunter2"), "{}", output_text(&output));
    for url in ["redis://:hunter2hunter2@127.0.0.1/not-a-number", "redis://:hunter2hunter2@"] {
        let output = run(&["serve"], &[DATABASE, ("REDIS_URL", url), ("LISTEN_ADDRESS", "127.0.0.1:0")]);
        assert!(!output.status.success() && !output_text(&output).contains("hunter2"), "{}", output_text(&output));
    }
    let output = run(&["migrate"], &[DATABASE, REDIS, ("LISTEN_ADDRESS", "127.0.0.1:0")]);
    assert!(!output.status.success() && !output_text(&output).contains("hunter2"), "{}", output_text(&output));
    let output = run(&["healthcheck"], &[DATABASE, REDIS, ("LISTEN_ADDRESS", "127.0.0.1:1")]);
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test]
async fn migrate_brings_the_schema_up_to_date_and_ends_also_beside_a_replica() {
    let stores = Stores::new().await;
    let replica = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = replica.local_addr().unwrap().to_string();
    let (database, redis) = (stores.database_url(), stores.redis_url());
    let variables = [("DATABASE_URL", database.as_str()), ("REDIS_URL", redis.as_str()), ("LISTEN_ADDRESS", &address)];
    for _ in 0..2 {
        let output = tokio::task::spawn_blocking({
            let mut command = vitrine(&["migrate"], &variables);
            move || command.output().unwrap()
        });
        let output = output.await.unwrap();
        assert!(output.status.success(), "{}", output_text(&output));
        assert_eq!(stores.count("SELECT count(*) FROM users").await, 0);
    }
}

#[tokio::test]
async fn a_replica_can_have_the_name_of_its_machine() {
    let stores = Stores::new().await;
    let program = Program::serve(&stores, &[("REPLICA", "@hostname")]).await;
    let mut raw = Raw::connect(program.address).await;
    raw.send("GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let name = machine.trim().split('.').next().unwrap();
    assert_eq!(raw.answer().await.expect(200).json()["replica"], name);
}

#[tokio::test]
async fn sigterm_loses_no_request_and_ends_with_success() {
    let stores = Stores::new().await;
    let mut program = Program::serve(&stores, &[("DRAIN_DELAY", "500ms"), ("DRAIN_TIMEOUT", "15s"), ("REPLICA", "backend-3")]).await;
    let ask = async |path: &str| {
        let mut raw = Raw::connect(program.address).await;
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        raw.answer().await
    };
    eventually("the program is ready", async || when(ask("/health/ready").await.status == 200)).await;
    assert_eq!(ask("/version").await.expect(200).json()["replica"], "backend-3");
    let port = program.address.to_string();
    let (database, redis) = (stores.database_url(), stores.redis_url());
    let probe = [("DATABASE_URL", database.as_str()), ("REDIS_URL", redis.as_str()), ("LISTEN_ADDRESS", &*port)];
    assert!(run(&["healthcheck"], &probe).status.success());

    // In flight: a registration with an incomplete body.
    let body = format!(r#"{{"email":"canary@example.com","password":"{PASSWORD}","display_name":"Canary"}}"#);
    let head =
        format!("POST /api/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut in_flight = Raw::connect(program.address).await;
    in_flight.send(format!("{head}{}", &body[..20])).await;
    eventually("the registration is in flight", async || when(ask("/metrics").await.text().contains("\nhttp_requests_in_flight 2\n")))
        .await;

    program.signal("TERM");
    eventually("new connections are refused", async || when(TcpStream::connect(program.address).await.is_err())).await;
    assert!(!run(&["healthcheck"], &probe).status.success());
    in_flight.send(&body[20..]).await;
    in_flight.answer().await.expect(201);
    assert_eq!(program.end().await.code(), Some(0));
    assert_eq!(stores.count("SELECT count(*) FROM users").await, 1);
    let log = program.log();
    assert!(log.contains("SIGTERM") && log.contains("user registered"), "{log}");
    for secret in ["canary@example.com", PASSWORD, database.password().unwrap(), redis.password().unwrap()] {
        assert!(!log.contains(secret), "the log contains {secret}");
    }
}

#[tokio::test]
async fn a_program_without_its_stores_still_stops_on_sigint() {
    let stores = Stores::new().await;
    let variables = [("DATABASE_URL", DATABASE.1), ("REDIS_URL", REDIS.1), ("DRAIN_DELAY", "0s")];
    let mut program = Program::serve(&stores, &variables).await;
    program.signal("INT");
    assert_eq!(program.end().await.code(), Some(0), "{}", program.log());
    assert!(!program.log().contains("hunter2"), "{}", program.log());
}

struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn tempdir() -> Folder {
    let path = std::env::temp_dir().join(format!("vitrine-test-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&path).unwrap();
    Folder(path)
}
