//! Labels of Postgres, Redis and the caches.

use super::{Keys, Labels};

labels! {
    /// A Redis command, or a connection attempt.
    RedisCommand ["command"] {
        Connect ["connect"],
        Ping ["ping"],
        Get ["get"],
        Mget ["mget"],
        Set ["set"],
        Eval ["eval"],
        Publish ["publish"],
        Subscribe ["subscribe"],
    }
}

labels! {
    /// The outcome of a Redis command or connection attempt.
    Outcome ["status"] {
        Success ["success"],
        Error ["error"],
    }
}

labels! {
    /// The purpose of a Redis connection.
    RedisRole ["role"] {
        Commands ["commands"],
        Pubsub ["pubsub"],
    }
}

labels! {
    /// The content of a cache.
    CacheType ["cache_type"] {
        Session ["session"],
        User ["user"],
        Project ["project"],
        Showcase ["showcase"],
        Insights ["insights"],
    }
}

labels! {
    /// A kind of database statement, by operation and table.
    Query ["operation", "table"] {
        Begin ["begin", "transaction"],
        Commit ["commit", "transaction"],
        Ping ["select", "health"],
        SelectUsers ["select", "users"],
        InsertUsers ["insert", "users"],
        UpdateUsers ["update", "users"],
        DeleteUsers ["delete", "users"],
        SelectAuthSessions ["select", "auth_sessions"],
        InsertAuthSessions ["insert", "auth_sessions"],
        UpdateAuthSessions ["update", "auth_sessions"],
        DeleteAuthSessions ["delete", "auth_sessions"],
        SelectAccountLinks ["select", "account_links"],
        InsertAccountLinks ["insert", "account_links"],
        DeleteAccountLinks ["delete", "account_links"],
        SelectAuditEvents ["select", "audit_events"],
        InsertAuditEvents ["insert", "audit_events"],
        DeleteAuditEvents ["delete", "audit_events"],
        SelectSecondFactors ["select", "second_factors"],
        InsertSecondFactors ["insert", "second_factors"],
        UpdateSecondFactors ["update", "second_factors"],
        DeleteSecondFactors ["delete", "second_factors"],
        SelectRecoveryCodes ["select", "recovery_codes"],
        InsertRecoveryCodes ["insert", "recovery_codes"],
        DeleteRecoveryCodes ["delete", "recovery_codes"],
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
        SelectCacheInvalidations ["select", "cache_invalidations"],
        InsertCacheInvalidations ["insert", "cache_invalidations"],
        DeleteCacheInvalidations ["delete", "cache_invalidations"],
        SelectCacheReaders ["select", "cache_readers"],
        DeleteCacheReaders ["delete", "cache_readers"],
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
        SelectFaults ["select", "faults"],
        UpdateFaults ["update", "faults"],
    }
}

labels! {
    /// The outcome of a database statement.
    QueryStatus ["status"] {
        Success ["success"],
        Error ["error"],
        Timeout ["timeout"],
        Cancelled ["cancelled"],
    }
}

labels! {
    /// The state of a connection in the pool; `max` is the pool's limit.
    PoolState ["state"] {
        Idle ["idle"],
        Used ["used"],
        Max ["max"],
    }
}
