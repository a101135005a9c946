//! Published images: Compose takes them by one variable, and the workflows build, check and publish what the other files expect.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::files::{files, items, merged, root, stem, text, yaml};

fn workflow(name: &str) -> Value {
    yaml(&root().join(format!(".github/workflows/{name}.yml")))
}

/// Every step of a workflow.
fn steps(workflow: &Value) -> Vec<&Value> {
    workflow["jobs"].as_object().unwrap().values().flat_map(|job| items(&job["steps"])).collect()
}

#[test]
fn one_variable_replaces_every_image_that_compose_builds() {
    let compose = yaml(&root().join("docker-compose.yml"));
    let built = compose["services"].as_object().unwrap().values().filter(|service| merged(service, "build").is_object());
    let image_and_target =
        |service| (merged(service, "image").as_str().unwrap(), merged(service, "build")["target"].as_str().unwrap_or("vitrine"));
    let images: BTreeSet<(&str, &str)> = built.map(image_and_target).collect();
    let image = "${VITRINE_IMAGE:-vitrine:local}";
    assert_eq!(images, BTreeSet::from([(image, "vitrine"), (&*format!("{image}-provider-sim"), "provider-sim")]));
    assert!(text(".env.example").contains("\n#VITRINE_IMAGE=\n"));
    // The default target of the Dockerfile is its last stage.
    let dockerfile = text("Dockerfile");
    let last = dockerfile.lines().rfind(|line| line.starts_with("FROM ")).unwrap();
    assert!(last.ends_with(" AS vitrine"), "{last}");
}

#[test]
fn a_release_publishes_the_images_that_compose_expects() {
    let release = workflow("release");
    assert_eq!(release["jobs"]["image"]["strategy"]["matrix"]["target"], serde_json::json!(["vitrine", "provider-sim"]));
    let publish = release["jobs"]["publish"]["steps"].to_string();
    assert!(publish.contains("vitrine) suffix= ;; *) suffix=-$target ;;") && publish.contains("$IMAGE:$VERSION$suffix"));
    assert!(publish.contains("$IMAGE:$REVISION$suffix"), "an image must also have the short hash of its commit");
    assert!(release["jobs"]["version"]["steps"].to_string().contains("${GITHUB_SHA:0:12}"));
}

#[test]
fn workflows_pin_every_action_and_start_without_permissions() {
    for path in files(".github/workflows", "yml") {
        let workflow = workflow(&stem(&path));
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{}", path.display());
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            assert!(job["permissions"].is_object(), "{name} must list its permissions");
        }
        for uses in steps(&workflow).iter().filter_map(|step| step["uses"].as_str()) {
            let (_, commit) = uses.split_once('@').unwrap();
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{uses} is not pinned to a commit");
        }
    }
}

#[test]
fn a_change_is_merged_and_a_version_published_only_if_everything_passes() {
    let ci = workflow("ci");
    assert!(steps(&ci).iter().any(|step| step["run"] == ".ci/run"));
    let image = ci["jobs"]["ci"]["container"]["image"].as_str().unwrap();
    assert!(text("Dockerfile").contains(&format!("FROM {image} AS build")), "the checks must use the toolchain of the image: {image}");
    let release = workflow("release");
    assert_eq!(release["jobs"]["ci"]["uses"], "./.github/workflows/ci.yml");
    assert!(items(&release["jobs"]["image"]["needs"]).any(|job| job == "ci"));
}

#[test]
fn the_changelog_describes_the_current_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(text("CHANGELOG.md").contains(&format!("\n## {version} - ")), "CHANGELOG.md must have a section for {version}");
}
