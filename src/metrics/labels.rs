//! Label types: most have keys and a closed set of values. A label value never comes from client text.
//!
//! Labels whose values are not in an enum, such as `route`, have only a key type here; their values come from [`http`](super::http), the
//! driver, the configured platforms and the build. This module holds these key types, the error class and the code that label types share;
//! its submodules hold the other types by topic. Enums of the domain stay in [`domain`](crate::domain); `labels/domain.rs` makes labels
//! of them.

/// The label names of a metric, in order.
pub trait Keys: 'static {
    /// Label names, in the order of the values.
    fn keys() -> Vec<&'static str>;
}

/// A closed set of label values, so every series can be created at zero at startup.
pub trait Labels: Keys + Copy {
    /// Number of combinations of values.
    const COUNT: usize;
    /// Index of this combination, below [`Self::COUNT`].
    fn index(self) -> usize;
    /// All combinations in index order, each as long as [`Keys::keys`].
    fn all() -> Vec<Vec<&'static str>>;
}

/// Declares a closed label set: the keys, then one line per member with a value for each key.
macro_rules! labels {
    ($(#[$meta:meta])* $name:ident [$($key:literal),+] { $($member:ident [$first:literal $(, $value:literal)*],)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $(#[doc = concat!("`", $first, "`" $(, " `", $value, "`")*)] $member,)+ }

        impl $name {
            /// All members, in index order.
            pub const MEMBERS: &'static [Self] = &[$(Self::$member),+];

            /// The value of the first label, which is also the member's name outside of metrics.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$member => $first,)+ } }

            /// The values of all labels, in the order of the keys.
            #[must_use]
            pub const fn values(self) -> &'static [&'static str] { match self { $(Self::$member => &[$first $(, $value)*],)+ } }

            /// The first member with this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> { Self::MEMBERS.iter().copied().find(|member| member.name() == name) }
        }

        impl Keys for $name {
            fn keys() -> Vec<&'static str> { vec![$($key),+] }
        }

        impl Labels for $name {
            const COUNT: usize = Self::MEMBERS.len();
            fn index(self) -> usize { self as usize }
            fn all() -> Vec<Vec<&'static str>> { Self::MEMBERS.iter().map(|member| member.values().to_vec()).collect() }
        }
    };
}

mod accounts;
mod domain;
mod jobs;
mod realtime;
mod stores;
mod system;
mod web;

pub use accounts::{ApiEndpoint, ApiStatus, AuthEvent, AuthMethod, AuthStatus, Limiter, MailOutcome, MailTemplate, OauthOperation};
pub use jobs::{Ending, JobKind, JobOutcome};
pub use realtime::{Disconnection, EventIn, EventOut, Loss, Message, SocketError, Transport};
pub use stores::{CacheType, Outcome, PoolState, Query, QueryStatus, RedisCommand, RedisRole};
pub use system::{Dependency, Heap, Severity, SystemError, TelemetrySignal};
pub use web::{AssetType, CallStatus, CalledEndpoint, ClientError, PageRoute, Vital};

impl Keys for () {
    fn keys() -> Vec<&'static str> {
        Vec::new()
    }
}

impl Labels for () {
    const COUNT: usize = 1;
    fn index(self) -> usize {
        0
    }
    fn all() -> Vec<Vec<&'static str>> {
        vec![Vec::new()]
    }
}

impl<A: Keys, B: Keys> Keys for (A, B) {
    fn keys() -> Vec<&'static str> {
        [A::keys(), B::keys()].concat()
    }
}

impl<A: Labels, B: Labels> Labels for (A, B) {
    const COUNT: usize = A::COUNT * B::COUNT;
    fn index(self) -> usize {
        self.0.index() * B::COUNT + self.1.index()
    }
    fn all() -> Vec<Vec<&'static str>> {
        A::all().iter().flat_map(|a| B::all().into_iter().map(move |b| [a.clone(), b].concat())).collect()
    }
}

/// Declares label keys whose values are not in an enum.
macro_rules! route_keys {
    ($(#[$meta:meta])* $name:ident [$($key:literal),+]) => {
        $(#[$meta])*
        pub enum $name {}
        impl Keys for $name {
            fn keys() -> Vec<&'static str> { vec![$($key),+] }
        }
    };
}

route_keys! {
    /// A response of an HTTP operation.
    HttpAnswer ["method", "route", "status"]
}
route_keys! {
    /// An HTTP operation.
    HttpOperation ["method", "route"]
}
route_keys! {
    /// An HTTP error response.
    HttpError ["type", "route", "status"]
}
route_keys! {
    /// A route template, or `other`.
    HttpRoute ["route"]
}
route_keys! {
    /// The running build.
    Build ["version", "revision", "rustc"]
}
route_keys! {
    /// A kind of call to the environment driver; a replica has one driver.
    DriverCall ["driver", "operation"]
}
route_keys! {
    /// The outcome of an OAuth operation. Values cover the configured platforms only.
    PlatformOperation ["platform", "operation", "status"]
}
route_keys! {
    /// A kind of call to a platform.
    PlatformCall ["platform", "endpoint"]
}
route_keys! {
    /// The outcome of a call to a platform.
    PlatformAnswer ["platform", "endpoint", "status"]
}
route_keys! {
    /// The outcome of a call to the environment driver.
    DriverAnswer ["driver", "operation", "status"]
}

labels! {
    /// The class of an error response.
    ErrorType ["type"] {
        BadRequest ["bad_request"],
        Authentication ["authentication"],
        Authorization ["authorization"],
        NotFound ["not_found"],
        Method ["method"],
        Conflict ["conflict"],
        Precondition ["precondition"],
        TooLarge ["too_large"],
        MediaType ["media_type"],
        Validation ["validation"],
        RateLimit ["rate_limit"],
        Cancelled ["cancelled"],
        Timeout ["timeout"],
        Unavailable ["unavailable"],
        Internal ["internal"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_a_combination_is_its_position_among_all() {
        let all = <(AuthMethod, AuthStatus)>::all();
        assert_eq!(all.len(), <(AuthMethod, AuthStatus)>::COUNT);
        assert_eq!(all[(AuthMethod::Token, AuthStatus::Failure).index()], ["token", "failure"]);
    }
}
