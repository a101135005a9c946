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
            fn all() -> Vec<Vec<&'static str>> { vec![$(vec![$first $(, $value)*]),+] }
        }
    };
}

mod realtime;

pub use realtime::{Disconnection, EventIn, EventOut, Loss, Message, SocketError, Transport};

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

labels! {
    /// A Redis command, or the act of connecting.
    RedisCommand ["command"] {
        Connect ["connect"],
        Ping ["ping"],
        Get ["get"],
        Set ["set"],
        Eval ["eval"],
        Publish ["publish"],
        Subscribe ["subscribe"],
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
        Pubsub ["pubsub"],
    }
}

labels! {
    /// What a cache holds.
    CacheType ["cache_type"] {
        Session ["session"],
        User ["user"],
        Project ["project"],
        Showcase ["showcase"],
        Insights ["insights"],
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
        SelectJobs ["select", "jobs"],
        InsertJobs ["insert", "jobs"],
        UpdateJobs ["update", "jobs"],
        DeleteJobs ["delete", "jobs"],
        SelectEnvironments ["select", "environments"],
        InsertEnvironments ["insert", "environments"],
        UpdateEnvironments ["update", "environments"],
        DeleteEnvironments ["delete", "environments"],
        SelectEnvSessions ["select", "env_sessions"],
        InsertEnvSessions ["insert", "env_sessions"],
        UpdateEnvSessions ["update", "env_sessions"],
        DeleteEnvSessions ["delete", "env_sessions"],
        SelectExtensionInstalls ["select", "extension_installs"],
        InsertExtensionInstalls ["insert", "extension_installs"],
        UpdateExtensionInstalls ["update", "extension_installs"],
        DeleteExtensionInstalls ["delete", "extension_installs"],
        SelectLogEntries ["select", "log_entries"],
        InsertLogEntries ["insert", "log_entries"],
        DeleteLogEntries ["delete", "log_entries"],
        UpdateLogStreams ["update", "log_streams"],
        SelectSimContainers ["select", "sim_containers"],
        UpdateSimContainers ["update", "sim_containers"],
        InsertOauthCallbacks ["insert", "oauth_callbacks"],
        DeleteOauthCallbacks ["delete", "oauth_callbacks"],
        SelectSocialAccounts ["select", "social_accounts"],
        InsertSocialAccounts ["insert", "social_accounts"],
        UpdateSocialAccounts ["update", "social_accounts"],
        DeleteSocialAccounts ["delete", "social_accounts"],
        SelectPosts ["select", "posts"],
        InsertPosts ["insert", "posts"],
        SelectPostDeliveries ["select", "post_deliveries"],
        InsertPostDeliveries ["insert", "post_deliveries"],
        UpdatePostDeliveries ["update", "post_deliveries"],
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
        EnvironmentDriver ["environment_driver"],
        All ["all"],
    }
}

labels! {
    /// What an account is proven by.
    AuthMethod ["method"] {
        Password ["password"],
        Token ["token"],
        Oauth ["oauth"],
    }
}

labels! {
    /// A site with accounts of its own that Vitrine knows how to talk to.
    #[derive(PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    Platform ["platform"] {
        Github ["github"],
        Gitlab ["gitlab"],
        Google ["google"],
        Mastodon ["mastodon"],
        Linkedin ["linkedin"],
        X ["x"],
    }
}

labels! {
    /// A step of signing in or linking by a platform, or of what follows from a link.
    OauthOperation ["operation"] {
        Start ["start"],
        Callback ["callback"],
        Refresh ["refresh"],
        Revoke ["revoke"],
    }
}

labels! {
    /// What a platform is asked for.
    ApiEndpoint ["endpoint"] {
        Discovery ["discovery"],
        Keys ["keys"],
        Token ["token"],
        Revocation ["revocation"],
        Identity ["identity"],
        Post ["post"],
        Insights ["insights"],
    }
}

labels! {
    /// How a platform took a call: `refused` is a 4xx, `failed` a 5xx, `cancelled` a call that nobody waited for any more.
    ApiStatus ["status"] {
        Success ["success"],
        Refused ["refused"],
        RateLimited ["rate_limited"],
        Failed ["failed"],
        Timeout ["timeout"],
        Unreachable ["unreachable"],
        Cancelled ["cancelled"],
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
        SocketConnections ["socket_connections"],
        SocketEvents ["socket_events"],
    }
}

labels! {
    /// What runs environments.
    #[derive(clap::ValueEnum, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    DriverName ["driver"] {
        Docker ["docker"],
        Sim ["sim"],
    }
}

labels! {
    /// A call of the driver of environments.
    DriverOperation ["operation"] {
        Ping ["ping"],
        Pull ["pull"],
        Create ["create"],
        Start ["start"],
        Stop ["stop"],
        Restart ["restart"],
        Remove ["remove"],
        Exec ["exec"],
        Logs ["logs"],
        Inspect ["inspect"],
        List ["list"],
    }
}

labels! {
    /// Where an environment stands.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    EnvironmentStatus ["status"] {
        Creating ["creating"],
        Starting ["starting"],
        Running ["running"],
        Stopping ["stopping"],
        Stopped ["stopped"],
        Error ["error"],
        Deleting ["deleting"],
    }
}

labels! {
    /// What a session in an environment is for.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    SessionType ["type"] {
        Vscode ["vscode"],
        Tmux ["tmux"],
        Shell ["shell"],
    }
}

labels! {
    /// Whether a session in an environment goes on.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    SessionStatus ["status"] {
        Active ["active"],
        Closed ["closed"],
    }
}

labels! {
    /// What can be installed in an environment.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "kebab-case")]
    Extension ["extension"] {
        ShellPrompt ["shell-prompt"],
        GitAliases ["git-aliases"],
        EditorDefaults ["editor-defaults"],
        Heartbeat ["heartbeat"],
        NodeTools ["node-tools"],
        CargoTools ["cargo-tools"],
    }
}

labels! {
    /// Where a line of an environment's log comes from; `system` is Vitrine itself.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    LogStream ["stream"] {
        Stdout ["stdout"],
        Stderr ["stderr"],
        System ["system"],
    }
}

labels! {
    /// What a job does.
    JobKind ["kind"] {
        EnvironmentChange ["environment_change"],
        ExtensionChange ["extension_change"],
        EnvironmentReconcile ["environment_reconcile"],
        TokenRevocation ["token_revocation"],
        PostDelivery ["post_delivery"],
    }
}

labels! {
    /// How one attempt at a job ended: `lost` is one whose lease ended before it did.
    JobOutcome ["outcome"] {
        Success ["success"],
        Retry ["retry"],
        Dead ["dead"],
        Lost ["lost"],
    }
}

labels! {
    /// How an operation ended, where the word for the bad end is failure.
    Ending ["status"] {
        Success ["success"],
        Failure ["failure"],
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
