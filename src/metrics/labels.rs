//! Label types: a key and its closed set of values. A label is never text from a client.
//!
//! A label whose values only the router knows (`route`) has a key type here and its values in
//! [`http`](super::http). When to use which label: `docs/METRICS.md`.

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
    ($(#[$meta:meta])* $name:ident [$($key:literal),+] { $($member:ident [$($value:literal),+],)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $(#[doc = concat!($("`", $value, "` ",)+)] $member,)+ }

        impl Keys for $name {
            fn keys() -> Vec<&'static str> { vec![$($key),+] }
        }

        impl Labels for $name {
            const COUNT: usize = [$(Self::$member),+].len();
            fn index(self) -> usize { self as usize }
            fn all() -> Vec<Vec<&'static str>> { vec![$(vec![$($value),+]),+] }
        }
    };
}

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

labels! {
    /// A Redis command, or the act of connecting.
    RedisCommand ["command"] {
        Connect ["connect"],
        Ping ["ping"],
        Get ["get"],
        Set ["set"],
        Eval ["eval"],
    }
}

labels! {
    /// How an operation ended.
    Outcome ["status"] {
        Success ["success"],
        Error ["error"],
    }
}

labels! {
    /// What a Redis connection is for.
    RedisRole ["role"] {
        Commands ["commands"],
    }
}

labels! {
    /// What a cache holds.
    CacheType ["cache_type"] {
        Session ["session"],
        User ["user"],
        Project ["project"],
    }
}

labels! {
    /// One kind of database statement, by what it does and to which table.
    Query ["operation", "table"] {
        Begin ["begin", "transaction"],
        Commit ["commit", "transaction"],
        Ping ["select", "health"],
        SelectUsers ["select", "users"],
        InsertUsers ["insert", "users"],
        UpdateUsers ["update", "users"],
        SelectAuthSessions ["select", "auth_sessions"],
        InsertAuthSessions ["insert", "auth_sessions"],
        UpdateAuthSessions ["update", "auth_sessions"],
        DeleteAuthSessions ["delete", "auth_sessions"],
        SelectProjects ["select", "projects"],
        InsertProjects ["insert", "projects"],
        UpdateProjects ["update", "projects"],
        DeleteProjects ["delete", "projects"],
        SelectProjectMembers ["select", "project_members"],
        InsertProjectMembers ["insert", "project_members"],
        DeleteProjectMembers ["delete", "project_members"],
        SelectIdempotencyKeys ["select", "idempotency_keys"],
        InsertIdempotencyKeys ["insert", "idempotency_keys"],
        DeleteIdempotencyKeys ["delete", "idempotency_keys"],
        UpdateLeases ["update", "leases"],
    }
}

labels! {
    /// How a database statement ended.
    QueryStatus ["status"] {
        Success ["success"],
        Error ["error"],
        Timeout ["timeout"],
        Cancelled ["cancelled"],
    }
}

labels! {
    /// The state of the connections in the pool.
    PoolState ["state"] {
        Idle ["idle"],
        Used ["used"],
        Max ["max"],
    }
}

labels! {
    /// Where an error arose that is not one request's.
    SystemError ["error_type"] {
        Panic ["panic"],
        Task ["task"],
        Database ["database"],
        Redis ["redis"],
        Migration ["migration"],
        Accept ["accept"],
    }
}

labels! {
    /// How bad an error is: `critical` wants a person.
    Severity ["severity"] {
        Warning ["warning"],
        Error ["error"],
        Critical ["critical"],
    }
}

labels! {
    /// A figure of the allocator.
    Heap ["kind"] {
        Allocated ["allocated"],
        Active ["active"],
        Resident ["resident"],
        Mapped ["mapped"],
    }
}

labels! {
    /// What the service depends on; `all` is the verdict.
    Dependency ["dependency"] {
        Postgres ["postgres"],
        Redis ["redis"],
        All ["all"],
    }
}

labels! {
    /// What an account is proven by.
    AuthMethod ["method"] {
        Password ["password"],
        Token ["token"],
    }
}

labels! {
    /// How a proof of identity ended.
    AuthStatus ["status"] {
        Success ["success"],
        Failure ["failure"],
        Throttled ["throttled"],
    }
}

labels! {
    /// The limit that refused something.
    Limiter ["limiter"] {
        LoginAccount ["login_account"],
        LoginAddress ["login_address"],
        PasswordHashing ["password_hashing"],
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
