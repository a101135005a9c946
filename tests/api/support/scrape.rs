//! A parsed scrape of `/metrics`, in the text exposition format of Prometheus, version 0.0.4.

use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

/// All samples of one scrape.
#[derive(Clone, Debug)]
pub struct Scrape {
    pub text: String,
    samples: BTreeMap<(String, Labels), f64>,
}

impl Scrape {
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let mut samples = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("not a sample: {line}"));
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let before = samples.insert((name.to_owned(), labels_of(labels)), number(value));
            assert!(before.is_none(), "duplicate series: {series}");
        }
        Self { text: text.to_owned(), samples }
    }

    /// The sum of the samples that have this name and at least these labels.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).map(|(_, value)| value).sum()
    }

    /// Whether there is a series with this name and exactly these labels.
    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.samples.contains_key(&(name.to_owned(), labels))
    }

    /// The growth of [`Self::get`] since an earlier scrape.
    pub fn since(&self, before: &Self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.get(name, labels) - before.get(name, labels)
    }

    /// The series of a metric that have changed since an earlier scrape: their labels as `label=value,…`, and the difference.
    pub fn grown(&self, before: &Self, name: &str) -> BTreeMap<String, f64> {
        let series = self.samples.iter().filter(|((sample, _), _)| sample == name);
        let growth = series.map(|((_, labels), value)| {
            let earlier = before.samples.get(&(name.to_owned(), labels.clone())).copied().unwrap_or_default();
            (labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","), value - earlier)
        });
        growth.filter(|(_, growth)| *growth != 0.0).collect()
    }

    pub fn series(&self) -> BTreeSet<(String, Labels)> {
        self.samples.keys().cloned().collect()
    }

    fn matching<'a>(&'a self, name: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = (&'a Labels, f64)> {
        let wanted = move |has: &Labels| labels.iter().all(|(key, value)| has.get(*key).is_some_and(|has| has == value));
        self.samples.iter().filter(move |((sample, has), _)| sample == name && wanted(has)).map(|((_, has), value)| (has, *value))
    }
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("not a number: {text}"))
}

/// Parses labels without unescaping: label values of Vitrine come from closed sets, and contain neither quotes nor backslashes.
fn labels_of(text: &str) -> Labels {
    let inner = text.trim_end_matches('}');
    inner
        .split("\",")
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once("=\"").unwrap_or_else(|| panic!("not a label: {pair}"));
            (key.to_owned(), value.trim_end_matches('"').to_owned())
        })
        .collect()
}
