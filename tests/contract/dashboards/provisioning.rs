//! How Grafana comes to its data source and its dashboards, and who may look at them: its own files, and its part of compose.

use serde_json::{Value, json};

use super::{sample, text};
use crate::files::{dashboards, items, root, text as file, yaml};

/// Where Grafana looks for what is provisioned.
const PROVISIONING: &str = "/etc/grafana/provisioning";

/// What has to agree.
struct Provisioning {
    sources: Value,
    providers: Value,
    prometheus: Value,
    grafana: Value,
    /// What makes the secrets of compose.
    secrets: String,
    dashboards: Vec<Value>,
}

impl Provisioning {
    fn read() -> Self {
        let read = |path: &str| yaml(&root().join(path));
        Self {
            sources: read("monitoring/grafana/provisioning/datasources/prometheus.yml"),
            providers: read("monitoring/grafana/provisioning/dashboards/vitrine.yml"),
            prometheus: read("monitoring/prometheus/prometheus.yml"),
            grafana: read("docker-compose.yml")["services"]["grafana"].take(),
            secrets: file("compose/make-secrets.sh"),
            dashboards: dashboards().into_iter().map(|(_, dashboard)| dashboard).collect(),
        }
    }

    fn setting(&self, name: &str) -> String {
        text(&self.grafana["environment"][name])
    }

    /// Where a path of the container lies in the checkout.
    fn mounted(&self, path: &str) -> Option<String> {
        let mounts = items(&self.grafana["volumes"]).filter_map(|mount| {
            let mut parts = mount.as_str()?.split(':');
            Some((parts.next()?, parts.next()?))
        });
        // One may lie in another.
        let nearest = mounts.filter(|(_, to)| path.starts_with(to)).max_by_key(|(_, to)| to.len());
        nearest.map(|(from, to)| format!("{from}{}", &path[to.len()..]))
    }

    fn is_there(&self, path: &str) -> bool {
        self.mounted(path).is_some_and(|path| root().join(path).exists())
    }

    fn faults(&self) -> Vec<&'static str> {
        let source = &self.sources["datasources"][0];
        let provider = &self.providers["providers"][0];
        let is_chosen = |dashboard: &Value| dashboard["templating"]["list"][0]["current"]["value"] == source["uid"];
        let password = self.setting("GF_SECURITY_ADMIN_PASSWORD__FILE");
        let secret = password.rsplit_once('/').and_then(|(folder, name)| Some((self.mounted(folder)?, name)));
        let interval = &source["jsonData"]["timeInterval"];
        let checks = [
            (self.sources["apiVersion"] == 1 && self.providers["apiVersion"] == 1, "not of the version that Grafana reads"),
            (source["type"] == "prometheus" && source["isDefault"] == true, "Prometheus is not the data source"),
            (source["editable"] == false && provider["allowUiUpdates"] == false, "can be changed where nobody keeps it"),
            (self.dashboards.iter().all(is_chosen), "dashboards choose another data source at first"),
            (*interval == self.prometheus["global"]["scrape_interval"], "another interval than that of the scrapes"),
            (self.is_there(PROVISIONING), "provisioning is not mounted"),
            (provider["type"] == "file" && self.is_there(&text(&provider["options"]["path"])), "dashboards are not mounted"),
            (self.is_there(&self.setting("GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH")), "the first page is not there"),
            (
                self.setting("GF_AUTH_ANONYMOUS_ENABLED") == "true" && self.setting("GF_AUTH_ANONYMOUS_ORG_ROLE") == "Viewer",
                "who has not signed in is no viewer",
            ),
            (self.setting("GF_USERS_ALLOW_SIGN_UP") == "false", "anybody may sign up"),
            (
                secret.is_some_and(|(volume, name)| volume == "secrets" && self.secrets.contains(&format!(">{name}"))),
                "the password is no secret that is made",
            ),
        ];
        checks.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault).collect()
    }
}

#[test]
fn grafana_is_provisioned() {
    assert_eq!(Provisioning::read().faults(), [""; 0]);
}

#[test]
fn what_does_not_agree_is_found() {
    let finds = |change: fn(&mut Provisioning), fault: &str| {
        let mut provisioning = Provisioning { dashboards: vec![sample()], ..Provisioning::read() };
        change(&mut provisioning);
        assert_eq!(provisioning.faults(), [fault]);
    };
    finds(|all| all.sources["apiVersion"] = json!(2), "not of the version that Grafana reads");
    finds(|all| all.sources["datasources"][0]["isDefault"] = json!(false), "Prometheus is not the data source");
    finds(|all| all.sources["datasources"][0]["editable"] = json!(true), "can be changed where nobody keeps it");
    finds(|all| all.sources["datasources"][0]["uid"] = json!("other"), "dashboards choose another data source at first");
    finds(|all| all.prometheus["global"]["scrape_interval"] = json!("30s"), "another interval than that of the scrapes");
    finds(|all| all.providers["providers"][0]["options"]["path"] = json!("/var/lib/grafana/boards"), "dashboards are not mounted");
    let home = |all: &mut Provisioning| all.grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] = json!("/home.json");
    finds(home, "the first page is not there");
    finds(|all| all.grafana["environment"]["GF_AUTH_ANONYMOUS_ORG_ROLE"] = json!("Admin"), "who has not signed in is no viewer");
    finds(|all| all.grafana["environment"]["GF_USERS_ALLOW_SIGN_UP"] = json!("true"), "anybody may sign up");
    finds(|all| all.secrets.clear(), "the password is no secret that is made");
}
