//! Label types: a key and its closed set of values. A label is never text from a client.
//!
//! A label whose values only the router knows (`route`) has a key type here and its values in
//! [`http`](super::http). When to use which label: `docs/METRICS.md`. Here is what label types have in common; the types
//! are in the modules below, by what they tell of.

/// The label names of a metric, in order.
pub trait Keys: 'static {
    /// Label names, in the order in which values are given.
    fn keys() -> Vec<&'static str>;
}

/// A closed set of label values: every member exists at zero before the first event.
pub trait Labels: Keys + Copy {
    /// How many value sets there are.
    const COUNT: usize;
    /// Position of this value set, below [`Self::COUNT`].
    fn index(self) -> usize;
    /// Every value set in index order, each as long as [`Keys::keys`].
    fn all() -> Vec<Vec<&'static str>>;
}

/// Declares a closed label set: the keys, then one line per member with a value for each key.
macro_rules! labels {
    ($(#[$meta:meta])* $name:ident [$($key:literal),+] { $($member:ident [$first:literal $(, $value:literal)*],)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $(#[doc = concat!("`", $first, "`" $(, " `", $value, "`")*)] $member,)+ }

        impl $name {
            /// Every member, in index order.
            pub const MEMBERS: &'static [Self] = &[$(Self::$member),+];

            /// The value of the first label: how the member is told outside of metrics as well.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$member => $first,)+ } }

            /// The values of all labels, in the order of their keys.
            #[must_use]
            pub const fn values(self) -> &'static [&'static str] { match self { $(Self::$member => &[$first $(, $value)*],)+ } }

            /// The first member that is told so.
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
mod environments;
mod faults;
mod realtime;
mod stores;
mod system;
mod web;

pub use accounts::{ApiEndpoint, ApiStatus, AuthMethod, AuthStatus, Limiter, OauthOperation, Platform};
pub use environments::{
    DriverName, DriverOperation, Ending, EnvironmentStatus, Extension, JobKind, JobOutcome, LogStream, SessionStatus, SessionType,
};
pub use faults::FaultKind;
pub use realtime::{Disconnection, EventIn, EventOut, Loss, Message, SocketError, Transport};
pub use stores::{CacheType, Outcome, PoolState, Query, QueryStatus, RedisCommand, RedisRole};
pub use system::{Dependency, Heap, Severity, SystemError};
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

/// Declares label keys whose values only the router knows.
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
    /// One answer of the HTTP interface.
    HttpAnswer ["method", "route", "status"]
}
route_keys! {
    /// One operation of the HTTP interface.
    HttpOperation ["method", "route"]
}
route_keys! {
    /// One failed answer of the HTTP interface.
    HttpError ["type", "route", "status"]
}
route_keys! {
    /// One route template, or `other`.
    HttpRoute ["route"]
}
route_keys! {
    /// What is running.
    Build ["version", "revision", "rustc"]
}
route_keys! {
    /// One kind of call of the driver of environments; a replica has one driver.
    DriverCall ["driver", "operation"]
}
route_keys! {
    /// One step of signing in by a platform; a replica has the platforms that are configured.
    PlatformOperation ["platform", "operation", "status"]
}
route_keys! {
    /// One kind of call of a platform.
    PlatformCall ["platform", "endpoint"]
}
route_keys! {
    /// The end of a call of a platform.
    PlatformAnswer ["platform", "endpoint", "status"]
}
route_keys! {
    /// The end of a call of the driver of environments.
    DriverAnswer ["driver", "operation", "status"]
}

labels! {
    /// The class of a problem that a client was told about.
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
    fn a_product_of_label_sets_is_numbered_in_the_order_in_which_it_is_listed() {
        let all = <(AuthMethod, AuthStatus)>::all();
        assert_eq!(all.len(), <(AuthMethod, AuthStatus)>::COUNT);
        assert_eq!(all[(AuthMethod::Token, AuthStatus::Failure).index()], ["token", "failure"]);
    }
}
