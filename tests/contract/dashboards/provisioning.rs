//! Grafana's provisioning: the data sources, the dashboards and the right to view them. They are set in the provisioning files and in
//! Grafana's service in `docker-compose.yml`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{sample, text};
use crate::files::{DASHBOARD_FOLDERS, dashboards, items, root, text as file, yaml};

/// Grafana's folder for provisioning files.
const PROVISIONING: &str = "/etc/grafana/provisioning";

/// The files that must agree.
struct Provisioning {
    sources: Value,
    providers: Value,
    prometheus: Value,
    /// The services of compose.
    services: Value,
    /// The script that creates the secrets of compose.
    secrets: String,
    dashboards: Vec<Value>,
}

impl Provisioning {
    fn read() -> Self {
        let read = |path: &str| yaml(&root().join(path));
        Self {
            sources: read("monitoring/grafana/provisioning/datasources/vitrine.yml"),
            providers: read("monitoring/grafana/provisioning/dashboards/vitrine.yml"),
            prometheus: read("monitoring/prometheus/prometheus.yml"),
            services: read("docker-compose.yml")["services"].take(),
            secrets: file("compose/make-secrets.sh"),
            dashboards: dashboards().into_iter().map(|(_, dashboard)| dashboard).collect(),
        }
    }

    fn setting(&self, name: &str) -> String {
        text(&self.services["grafana"]["environment"][name])
    }

    /// The path, in the checkout or in a volume, that is mounted at a path of the container.
    fn mounted(&self, path: &str) -> Option<String> {
        let mounts = items(&self.services["grafana"]["volumes"]).filter_map(|mount| {
            let mut parts = mount.as_str()?.split(':');
            Some((parts.next()?, parts.next()?))
        });
        // A mount may be inside another mount; the innermost one applies.
        let nearest = mounts.filter(|(_, to)| path.starts_with(to)).max_by_key(|(_, to)| to.len());
        nearest.map(|(from, to)| format!("{from}{}", &path[to.len()..]))
    }

    fn is_there(&self, path: &str) -> bool {
        self.mounted(path).is_some_and(|path| root().join(path).exists())
    }

    /// The name of the folder in the checkout from which a provider reads; `None` if it does not exist.
    fn folder(&self, provider: &Value) -> Option<String> {
        let path = self.mounted(&text(&provider["options"]["path"]))?;
        let name = path.strip_prefix("./monitoring/grafana/dashboards/")?;
        root().join(&path).is_dir().then(|| name.to_owned())
    }

    /// Whether Grafana sends the requests to a source itself, and shares a network with it.
    fn is_reached(&self, source: &Value) -> bool {
        let url = text(&source["url"]);
        let host = url.strip_prefix("http://").and_then(|rest| rest.split(':').next()).unwrap_or_default();
        let networks = |service: &str| items(&self.services[service]["networks"]).collect::<Vec<_>>();
        source["access"] == "proxy" && networks(host).iter().any(|network| networks("grafana").contains(network))
    }

    /// The uids of the sources that the dashboards name directly or select by default.
    fn used(&self) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for dashboard in &self.dashboards {
            used.insert(text(&dashboard["templating"]["list"][0]["current"]["value"]));
            named(dashboard, &mut used);
        }
        used
    }

    fn faults(&self) -> Vec<&'static str> {
        let sources: Vec<&Value> = items(&self.sources["datasources"]).collect();
        let known: BTreeSet<String> = sources.iter().map(|source| text(&source["uid"])).collect();
        let source = &self.sources["datasources"][0];
        let providers: Vec<&Value> = items(&self.providers["providers"]).collect();
        let folders: BTreeSet<String> = providers.iter().filter_map(|provider| self.folder(provider)).collect();
        let is_chosen = |dashboard: &Value| dashboard["templating"]["list"][0]["current"]["value"] == source["uid"];
        let password = self.setting("GF_SECURITY_ADMIN_PASSWORD__FILE");
        let secret = password.rsplit_once('/').and_then(|(folder, name)| Some((self.mounted(folder)?, name)));
        let interval = &source["jsonData"]["timeInterval"];
        let checks = [
            (self.sources["apiVersion"] == 1 && self.providers["apiVersion"] == 1, "a file has an unsupported apiVersion"),
            (source["type"] == "prometheus" && source["isDefault"] == true, "Prometheus is not the default data source"),
            (
                sources.iter().chain(&providers).all(|one| one["editable"] == false || one["allowUiUpdates"] == false),
                "data sources or dashboards can be changed in the UI",
            ),
            (sources.iter().all(|source| self.is_reached(source)), "Grafana does not reach a data source"),
            (self.dashboards.iter().all(is_chosen), "a dashboard selects another data source by default"),
            (self.used().is_subset(&known), "a dashboard uses a data source that does not exist"),
            (sources.iter().any(|source| source["type"] == "alertmanager"), "Alertmanager is not a data source"),
            (*interval == self.prometheus["global"]["scrape_interval"], "the interval of the data source differs from the scrape interval"),
            (self.is_there(PROVISIONING), "provisioning is not mounted"),
            (
                providers.iter().all(|provider| provider["type"] == "file") && folders == every_folder(),
                "a folder of dashboards is not mounted",
            ),
            (self.is_there(&self.setting("GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH")), "the home dashboard does not exist"),
            (
                self.setting("GF_AUTH_ANONYMOUS_ENABLED") == "true" && self.setting("GF_AUTH_ANONYMOUS_ORG_ROLE") == "Viewer",
                "anonymous users are not viewers",
            ),
            (self.setting("GF_USERS_VIEWERS_CAN_EDIT") == "true", "viewers cannot open Explore"),
            (self.setting("GF_USERS_ALLOW_SIGN_UP") == "false", "sign-up is open to anybody"),
            (
                secret.is_some_and(|(volume, name)| volume == "secrets" && self.secrets.contains(&format!(">{name}"))),
                "the password is not a generated secret",
            ),
        ];
        checks.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault).collect()
    }
}

fn every_folder() -> BTreeSet<String> {
    DASHBOARD_FOLDERS.map(str::to_owned).into()
}

/// Collects the uids of data sources in a part of a dashboard, except variables and Grafana's own source.
fn named(part: &Value, uids: &mut BTreeSet<String>) {
    match part {
        Value::Object(fields) => {
            let uid = text(&part["datasource"]["uid"]);
            if !uid.is_empty() && !uid.starts_with('$') && !uid.contains("grafana") && !uid.contains("Grafana") {
                uids.insert(uid);
            }
            fields.values().for_each(|field| named(field, uids));
        }
        Value::Array(parts) => parts.iter().for_each(|part| named(part, uids)),
        _ => {}
    }
}

#[test]
fn grafana_is_provisioned() {
    assert_eq!(Provisioning::read().faults(), [""; 0]);
}

#[test]
fn inconsistent_provisioning_is_reported() {
    let finds = |change: fn(&mut Provisioning), fault: &str| {
        let mut provisioning = Provisioning { dashboards: vec![sample()], ..Provisioning::read() };
        change(&mut provisioning);
        assert_eq!(provisioning.faults(), [fault]);
    };
    finds(|all| all.sources["apiVersion"] = json!(2), "a file has an unsupported apiVersion");
    finds(|all| all.sources["datasources"][0]["isDefault"] = json!(false), "Prometheus is not the default data source");
    finds(|all| all.sources["datasources"][1]["editable"] = json!(true), "data sources or dashboards can be changed in the UI");
    finds(|all| all.sources["datasources"][1]["url"] = json!("http://redis:6379"), "Grafana does not reach a data source");
    finds(|all| all.sources["datasources"][1]["access"] = json!("direct"), "Grafana does not reach a data source");
    finds(|all| all.sources["datasources"][1]["type"] = json!("loki"), "Alertmanager is not a data source");
    finds(
        |all| all.dashboards[0]["panels"][0]["datasource"] = json!({ "uid": "other" }),
        "a dashboard uses a data source that does not exist",
    );
    let chosen = |all: &mut Provisioning| all.dashboards[0]["templating"]["list"][0]["current"]["value"] = json!("alertmanager");
    finds(chosen, "a dashboard selects another data source by default");
    let explore = |all: &mut Provisioning| all.services["grafana"]["environment"]["GF_USERS_VIEWERS_CAN_EDIT"] = json!("false");
    finds(explore, "viewers cannot open Explore");
    finds(
        |all| all.prometheus["global"]["scrape_interval"] = json!("30s"),
        "the interval of the data source differs from the scrape interval",
    );
    let unmounted = "a folder of dashboards is not mounted";
    finds(|all| all.providers["providers"][0]["options"]["path"] = json!("/var/lib/grafana/boards"), unmounted);
    finds(|all| all.providers["providers"][1]["options"]["path"] = json!("/var/lib/grafana/dashboards/service"), unmounted);
    let home =
        |all: &mut Provisioning| all.services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] = json!("/home.json");
    finds(home, "the home dashboard does not exist");
    finds(|all| all.services["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ORG_ROLE"] = json!("Admin"), "anonymous users are not viewers");
    finds(|all| all.services["grafana"]["environment"]["GF_USERS_ALLOW_SIGN_UP"] = json!("true"), "sign-up is open to anybody");
    finds(|all| all.secrets.clear(), "the password is not a generated secret");
}
