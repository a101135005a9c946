//! Evaluates the templates in `deploy/ecs/containers/` as Terraform does when it applies them, with invented values. `backend.tf` has the
//! real values.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use devstack::paths;
use devstack::process::{capture, task};
use devstack::report::Outcome;
use devstack::tools::TERRAFORM;
use serde_json::Value;

/// One value for each that a template may use. The names of secrets are added.
const VALUES: [(&str, &str); 12] = [
    ("registry", "\"registry.example/vitrine\""),
    ("tag", "\"1a2b3c4d5e6f\""),
    ("region", "\"eu-central-1\""),
    ("name", "\"vitrine\""),
    ("namespace", "\"vitrine.internal\""),
    ("domain", "\"vitrine.example\""),
    ("mail_domain", "\"vitrine.example\""),
    ("vpc_cidr", "\"10.42.0.0/16\""),
    ("smtp", "{ host = \"smtp.example.com:587\", user = \"vitrine\" }"),
    ("database", "\"database.example:5432\""),
    ("cache", "\"cache.example:6379\""),
    ("log_group", "\"/vitrine/task\""),
];

/// Evaluates every template.
pub fn all(deployment: &Path) -> Result<Outcome> {
    let text = fs::read_to_string(deployment.join("secrets.tf"))?;
    let secrets = secrets(&text).iter().map(|name| format!("{name} = \"arn:{name}\"")).collect::<Vec<_>>().join(", ");
    let values = VALUES.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ");
    let mut outcome = Outcome::default();
    // Terraform reads every file of the folder in which it starts: an empty one is enough for an expression.
    let empty = paths::temporary("terraform")?;
    for entry in fs::read_dir(deployment.join("containers"))? {
        let template = entry?.path();
        let expression =
            format!("jsonencode(jsondecode(templatefile(\"{}\", {{ {values}, secrets = {{ {secrets} }} }})))\n", template.display());
        let input = empty.path().join("expression");
        fs::write(&input, expression)?;
        let mut console = task(TERRAFORM.path()?);
        console.arg("console").stdin(fs::File::open(&input)?).current_dir(empty.path());
        let evaluated = capture(&mut console)?;
        ensure!(evaluated.success, "{}: {}", template.display(), evaluated.text);
        let containers = containers(&evaluated.text).with_context(|| format!("{}: {}", template.display(), evaluated.text))?;
        outcome.passed += containers as u64;
    }
    Ok(outcome)
}

/// The number of containers in the output of the console: JSON in a string of Terraform.
fn containers(text: &str) -> Result<usize> {
    let line = text.lines().find(|line| line.starts_with('"')).context("the console printed no text")?;
    let json: String = serde_json::from_str(line)?;
    let containers: Vec<Value> = serde_json::from_str(&json)?;
    ensure!(!json.contains("${"), "a placeholder is left");
    Ok(containers.len())
}

/// The names of the secrets in `secrets.tf`.
fn secrets(text: &str) -> Vec<&str> {
    let block = text.split_once("secrets = {\n").and_then(|(_, rest)| rest.split_once("  }\n")).map_or("", |(block, _)| block);
    block.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.trim()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_the_console_is_json_in_a_string() {
        assert_eq!(containers("\"[{\\\"name\\\":\\\"edge\\\"},{}]\"\n").unwrap(), 2);
        assert!(containers("Error: no\n").is_err());
        assert!(containers("\"[\\\"${tag}\\\"]\"\n").is_err());
    }

    #[test]
    fn the_names_of_secrets_are_read_from_the_block() {
        assert_eq!(secrets("locals {\n  secrets = {\n    a_b = \"x = y\"\n    c   = \"z\"\n  }\n}\n"), ["a_b", "c"]);
    }
}
