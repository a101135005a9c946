//! The requests that are measured. What must be answered to them is in `contract.rs`.

use super::fixture::PROJECT;

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    /// The liveness of the service.
    Health,
    /// The account of a session.
    Me,
    /// One project, which the cache holds.
    Project,
    /// A page of 20 projects.
    List,
    /// A new project.
    Create,
    /// A scrape.
    Metrics,
}

impl Case {
    /// All of them, in the order in which they are measured: what grows the database comes after what reads it.
    pub const ALL: [Self; 6] = [Self::Health, Self::Me, Self::Project, Self::List, Self::Create, Self::Metrics];

    /// As the tables name it.
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

    /// What is requested.
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

    /// Connections that ask at the same time. One scraper asks for metrics.
    pub const fn connections(self) -> u32 {
        match self {
            Self::Metrics => 1,
            _ => 32,
        }
    }
}
