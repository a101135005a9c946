//! The measured requests. `contract.rs` defines their expected responses.

use super::fixture::PROJECT;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    /// The liveness check.
    Health,
    /// The account of a session.
    Me,
    /// A cached project.
    Project,
    /// A page of 20 projects.
    List,
    /// Creates a project.
    Create,
    /// A scrape of the metrics.
    Metrics,
}

impl Case {
    /// All cases in the order of measurement: `Create` adds rows, so it comes after the cases that read the database.
    pub const ALL: [Self; 6] = [Self::Health, Self::Me, Self::Project, Self::List, Self::Create, Self::Metrics];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Health => "GET /health",
            Self::Me => "GET /api/auth/me",
            Self::Project => "GET /api/projects/{id}",
            Self::List => "GET /api/projects?limit=20",
            Self::Create => "POST /api/projects",
            Self::Metrics => "GET /metrics",
        }
    }

    /// The path of the request.
    pub fn path(self) -> String {
        match self {
            Self::Health => "/health".to_owned(),
            Self::Me => "/api/auth/me".to_owned(),
            Self::Project => format!("/api/projects/{PROJECT}"),
            Self::List => "/api/projects?limit=20".to_owned(),
            Self::Create => "/api/projects".to_owned(),
            Self::Metrics => "/metrics".to_owned(),
        }
    }

    /// Number of concurrent connections. Metrics have a single scraper.
    pub const fn connections(self) -> u32 {
        match self {
            Self::Metrics => 1,
            _ => 32,
        }
    }
}
