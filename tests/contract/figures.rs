//! Figures that documents repeat: each has one source, a configuration or a rule, and the documents must agree with it.

use serde_json::Value;

use crate::files::{alerts, items, root, text, yaml};

/// Alertmanager's repeat interval and group interval for a receiver, in minutes.
struct Route {
    repeat: u32,
    group: u32,
}

fn alertmanager() -> Value {
    yaml(&root().join("monitoring/alertmanager/alertmanager.yml"))
}

fn route(receiver: &str) -> Route {
    let top = &alertmanager()["route"];
    let own = items(&top["routes"]).find(|route| route["receiver"] == receiver).unwrap();
    let of = |key: &str| minutes(own[key].as_str().or(top[key].as_str()).unwrap());
    Route { repeat: of("repeat_interval"), group: of("group_interval") }
}

/// Parses a duration such as `30m` or `24h`.
fn minutes(duration: &str) -> u32 {
    let (number, unit) = duration.split_at(duration.len() - 1);
    number.parse::<u32>().unwrap() * if unit == "h" { 60 } else { 1 }
}

/// The words that documents use for an interval of this many minutes.
fn spoken(minutes: u32) -> String {
    match minutes {
        1440 => "daily".to_owned(),
        60 => "every hour".to_owned(),
        hours if hours % 60 == 0 => format!("every {} hours", hours / 60),
        _ => format!("every {minutes} minutes"),
    }
}

/// The text of a document in one line, so that sentences can be found across line breaks.
fn line_of(path: &str) -> String {
    text(path).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn says(path: &str, sentence: &str) {
    assert!(line_of(path).contains(sentence), "{path} must say: {sentence}");
}

#[test]
fn documents_state_how_often_a_notification_is_repeated() {
    let document = line_of("docs/OPERATIONS.md");
    let Route { repeat, group } = route("dead-man");
    let always = format!("every {repeat} to {} minutes, always", repeat + group);
    let of = |receiver: &str| spoken(route(receiver).repeat);
    for (severity, often) in
        [("critical", of("page")), ("warning", of("team")), ("info", of("log")), ("none (Watchdog)", always), ("any other", of("team"))]
    {
        let cells = document.split_once(&format!("| {severity} |")).unwrap().1;
        assert_eq!(cells.split('|').nth(2).map(str::trim), Some(often.as_str()), "docs/OPERATIONS.md: how often {severity} is repeated");
    }
    says("docs/OPERATIONS.md", &format!("A page is repeated {} by", spoken(route("page").repeat)));
}

#[test]
fn documents_state_how_often_the_watchdog_notifies_and_when_its_absence_raises_an_alarm() {
    let Route { repeat, group } = route("dead-man");
    // Alertmanager checks once per group interval. A check just before the end of the repeat interval sends nothing, so the notification
    // waits for the next check.
    let often = format!("every {repeat} to {} minutes", repeat + group);
    says("monitoring/runbooks/Watchdog.md", &format!("it is sent again {often}"));
    says("docs/OPERATIONS.md", &format!("Watchdog always fires, and is sent again {often}"));
    let alarm = "receives nothing for ";
    let comment = line_of("monitoring/alertmanager/alertmanager.yml");
    let silence = comment.split_once(alarm).and_then(|(_, rest)| rest.split_once(" minutes")).unwrap().0;
    assert!(silence.parse::<u32>().unwrap() >= 2 * (repeat + group), "a single lost notification must not raise the alarm");
    says("docs/OPERATIONS.md", &format!("raises the alarm when none came for {silence} minutes"));
    says("monitoring/runbooks/Watchdog.md", &format!("receives nothing for {silence} minutes"));
}

#[test]
fn documents_state_how_often_targets_are_scraped() {
    let prometheus = yaml(&root().join("monitoring/prometheus/prometheus.yml"));
    let global = &prometheus["global"];
    let seconds = global["scrape_interval"].as_str().and_then(|interval| interval.strip_suffix('s')).unwrap();
    says("docs/MONITORING.md", &format!("Prometheus scrapes the replicas, the edge, the stores and the machine every {seconds} s"));
    // The rules in aliases.yml compare a series with its value at the previous evaluation.
    let evaluation = global["evaluation_interval"].as_str().unwrap();
    let aliases = text("monitoring/prometheus/rules/aliases.yml");
    let offsets: Vec<&str> =
        aliases.split(" offset ").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next()).collect();
    assert!(!offsets.is_empty() && offsets.iter().all(|offset| *offset == evaluation), "aliases must look back one evaluation");
}

/// Durations in a text, in seconds: `ten minutes`, `30 seconds`, `2 minutes`.
fn durations(text: &str) -> Vec<u32> {
    const NUMBERS: [(&str, u32); 8] =
        [("a", 1), ("one", 1), ("two", 2), ("three", 3), ("five", 5), ("ten", 10), ("fifteen", 15), ("thirty", 30)];
    let words: Vec<&str> = text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric())).collect();
    let pairs = words.windows(2).filter_map(|pair| {
        let number = pair[0].parse().ok().or_else(|| NUMBERS.iter().find(|(word, _)| *word == pair[0]).map(|(_, number)| *number))?;
        let unit = match pair[1] {
            "second" | "seconds" | "s" => 1,
            "minute" | "minutes" => 60,
            "hour" | "hours" => 3600,
            "day" | "days" => 86_400,
            _ => return None,
        };
        Some(number * unit)
    });
    pairs
        .chain(words.windows(2).filter(|pair| *pair == ["an", "hour"]).map(|_| 3600))
        .chain(words.windows(3).filter(|three| *three == ["half", "an", "hour"]).map(|_| 1800))
        .collect()
}

#[test]
fn runbooks_state_how_long_an_alert_waits() {
    let mut wrong = Vec::new();
    for rule in alerts() {
        let (alert, Some(wait)) = (rule["alert"].as_str().unwrap(), rule["for"].as_str()) else { continue };
        let runbook = text(&format!("monitoring/runbooks/{alert}.md"));
        let meaning = runbook.split_once("## Meaning").and_then(|(_, rest)| rest.split_once("## Impact")).unwrap().0;
        let (number, unit) = wait.split_at(wait.len() - 1);
        let seconds = number.parse::<u32>().unwrap()
            * match unit {
                "h" => 3600,
                "m" => 60,
                _ => 1,
            };
        if !durations(meaning).contains(&seconds) {
            wrong.push(format!("{alert} waits {wait}, which its runbook does not mention"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn durations_are_parsed_from_words_and_digits() {
    assert_eq!(durations("for five minutes, or 30 seconds; ten of them"), [300, 30]);
    assert!(durations("five replicas, minutes later").is_empty());
}
