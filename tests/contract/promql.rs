//! A minimal reader of `PromQL` expressions: series with their matchers, the functions applied to them, and grouping labels. It does not
//! validate expressions; promtool does.

const KEYWORDS: [&str; 9] = ["and", "or", "unless", "bool", "offset", "inf", "nan", "start", "end"];
/// Keywords before a list of labels.
const CLAUSES: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The relevant parts of an expression.
#[derive(Debug, Default)]
pub struct Query {
    /// Every selector.
    pub selectors: Vec<Selector>,
    /// Every `by` clause.
    pub groupings: Vec<Grouping>,
    /// Every string outside of braces, among them the labels that `label_replace` creates.
    pub strings: Vec<String>,
}

/// A series with matchers on its labels.
#[derive(Debug)]
pub struct Selector {
    /// The name of the series.
    pub metric: String,
    /// Label, operator, value.
    pub matchers: Vec<(String, String, String)>,
    /// Its range, as written between brackets.
    pub range: Option<String>,
    /// The function or aggregation applied to it.
    pub function: Option<String>,
}

/// A `by` clause.
#[derive(Debug)]
pub struct Grouping {
    pub labels: Vec<String>,
    /// The names of the series inside the aggregation.
    pub metrics: Vec<String>,
}

enum Node {
    Word(String),
    Text(String),
    Braces(Vec<(String, String, String)>),
    Range(String),
    Group(Vec<Node>),
}

pub fn read(expression: &str) -> Query {
    let mut query = Query::default();
    walk(&nodes(&mut &*expression), None, &mut query);
    query
}

/// Whether an expression is not empty and its brackets are balanced.
pub fn is_closed(expression: &str) -> bool {
    let mut open = Vec::new();
    let mut rest = expression;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '"' => drop(text(&mut rest)),
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.pop() != Some(c) => return false,
            _ => {}
        }
    }
    open.is_empty() && !expression.trim().is_empty()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '$' | '.')
}

fn nodes(rest: &mut &str) -> Vec<Node> {
    let mut nodes = Vec::new();
    while let Some(c) = rest.chars().next() {
        if is_name(c) {
            let (word, after) = rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
            *rest = after;
            if c.is_ascii_alphabetic() || matches!(c, '_' | ':') {
                nodes.push(Node::Word(word.to_owned()));
            }
            continue;
        }
        *rest = &rest[c.len_utf8()..];
        match c {
            '(' => nodes.push(Node::Group(self::nodes(rest))),
            ')' => break,
            '"' => nodes.push(Node::Text(text(rest))),
            '{' => nodes.push(Node::Braces(matchers(rest))),
            '[' => {
                let (range, after) = rest.split_once(']').unwrap_or((*rest, ""));
                nodes.push(Node::Range(range.to_owned()));
                *rest = after;
            }
            _ => {}
        }
    }
    nodes
}

/// Consumes a string up to its closing quote.
fn text(rest: &mut &str) -> String {
    let mut escaped = false;
    let end = rest.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    let (text, after) = rest.split_at(end.unwrap_or(rest.len()));
    *rest = after.get(1..).unwrap_or_default();
    text.to_owned()
}

/// Consumes matchers up to the closing brace.
fn matchers(rest: &mut &str) -> Vec<(String, String, String)> {
    let mut matchers = Vec::new();
    while let Some((head, after)) = rest.split_once(['"', '}']) {
        let is_over = rest[head.len()..].starts_with('}');
        *rest = after;
        if is_over {
            break;
        }
        let head = head.trim_matches([',', ' ', '\n']);
        let (label, operator) = head.split_at(head.find(|c| !is_name(c)).unwrap_or(head.len()));
        matchers.push((label.to_owned(), operator.trim().to_owned(), text(rest)));
    }
    matchers
}

/// Adds the contents of these nodes to the query, and returns the names of their series. `function` is the function or
/// aggregation around the nodes.
fn walk(nodes: &[Node], function: Option<&str>, query: &mut Query) -> Vec<String> {
    let mut metrics = Vec::new();
    let mut rest = nodes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (
                Node::Word(aggregation),
                [Node::Word(clause), Node::Group(labels), Node::Group(body), after @ ..]
                | [Node::Group(body), Node::Word(clause), Node::Group(labels), after @ ..],
            ) if matches!(clause.as_str(), "by" | "without") => {
                let inside = walk(body, Some(aggregation), query);
                if clause == "by" {
                    query.groupings.push(Grouping { labels: words(labels), metrics: inside.clone() });
                }
                metrics.extend(inside);
                rest = after;
            }
            (Node::Word(clause), [Node::Group(_), after @ ..]) if CLAUSES.contains(&clause.as_str()) => rest = after,
            (Node::Word(word), [Node::Group(body), after @ ..]) if !KEYWORDS.contains(&word.as_str()) => {
                metrics.extend(walk(body, Some(word), query));
                rest = after;
            }
            (Node::Word(word), _) if KEYWORDS.contains(&word.to_lowercase().as_str()) || CLAUSES.contains(&word.as_str()) => {}
            (Node::Word(metric), after) => {
                let (matchers, after) =
                    if let [Node::Braces(matchers), after @ ..] = after { (&matchers[..], after) } else { (&[][..], after) };
                let range = if let [Node::Range(range), ..] = after { Some(range.clone()) } else { None };
                let (function, matchers) = (function.map(str::to_owned), matchers.to_vec());
                metrics.push(metric.clone());
                query.selectors.push(Selector { metric: metric.clone(), matchers, range, function });
            }
            (Node::Group(body), _) => metrics.extend(walk(body, function, query)),
            (Node::Text(text), _) => query.strings.push(text.clone()),
            (Node::Braces(_) | Node::Range(_), _) => {}
        }
    }
    metrics
}

fn words(nodes: &[Node]) -> Vec<String> {
    nodes.iter().filter_map(|node| if let Node::Word(word) = node { Some(word.clone()) } else { None }).collect()
}

#[test]
fn series_matchers_and_groupings_are_parsed() {
    let expression = r#"sum by (route) (rate(a_total{status=~"5..|\\}", job="b"}[5m] offset 1h)) / on (x, y) group_left (z) level:c:rate5m
        > bool 0.5 and up == 1 or label_replace(max(d) by (e), "f", "p50", "", "") unless (g > 1e3)"#;
    let query = read(expression);
    let metrics: Vec<&str> = query.selectors.iter().map(|selector| selector.metric.as_str()).collect();
    assert_eq!(metrics, ["a_total", "level:c:rate5m", "up", "d", "g"]);
    let matchers: Vec<&str> =
        query.selectors[0].matchers.iter().flat_map(|(label, operator, _)| [label, operator]).map(String::as_str).collect();
    assert_eq!(matchers, ["status", "=~", "job", "="]);
    let made: Vec<(Option<&str>, Option<&str>)> =
        query.selectors.iter().map(|selector| (selector.function.as_deref(), selector.range.as_deref())).collect();
    assert_eq!(made, [(Some("rate"), Some("5m")), (None, None), (None, None), (Some("max"), None), (None, None)]);
    let groupings: Vec<(&str, &str)> = query.groupings.iter().map(|by| (by.labels[0].as_str(), by.metrics[0].as_str())).collect();
    assert_eq!(groupings, [("route", "a_total"), ("e", "d")]);
    assert!(query.strings.contains(&"f".to_owned()));
}

#[test]
fn unclosed_brackets_are_reported() {
    assert!(is_closed(r#"sum(rate(a{b=~"(c|]"}[5m])) by (d)"#));
    for wrong in ["", " ", "sum(a", "a)", "a{b=\"}\"", "sum(a[5m)]"] {
        assert!(!is_closed(wrong), "{wrong}");
    }
}
