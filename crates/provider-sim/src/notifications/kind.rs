//! The kinds of simulated receivers.

/// A simulated receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A Slack channel.
    Slack,
    /// The `PagerDuty` service of the person on call.
    Pagerduty,
    /// Any program that accepts Alertmanager's own webhook.
    Webhook,
}

impl Kind {
    /// All kinds, in display order.
    pub const ALL: [Self; 3] = [Self::Slack, Self::Pagerduty, Self::Webhook];

    /// The name in paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Pagerduty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }

    /// The display name.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Slack => "Slack",
            Self::Pagerduty => "PagerDuty",
            Self::Webhook => "webhook",
        }
    }
}
