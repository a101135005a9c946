//! Labels of environments and jobs.

use super::{Keys, Labels};

labels! {
    /// The environment driver.
    #[derive(clap::ValueEnum, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    DriverName ["driver"] {
        Docker ["docker"],
        Sim ["sim"],
    }
}

labels! {
    /// A call to the environment driver.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
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
    /// The status of an environment.
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
    /// The type of a workspace session.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    SessionType ["type"] {
        Vscode ["vscode"],
        Tmux ["tmux"],
        Shell ["shell"],
    }
}

labels! {
    /// The status of a workspace session.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    SessionStatus ["status"] {
        Active ["active"],
        Closed ["closed"],
    }
}

labels! {
    /// An extension that can be installed in an environment.
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
    /// The source of a log line of an environment; `system` is Vitrine itself.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    LogStream ["stream"] {
        Stdout ["stdout"],
        Stderr ["stderr"],
        System ["system"],
    }
}

labels! {
    /// The kind of a background job.
    JobKind ["kind"] {
        EnvironmentChange ["environment_change"],
        ExtensionChange ["extension_change"],
        EnvironmentReconcile ["environment_reconcile"],
        TokenRevocation ["token_revocation"],
        PostDelivery ["post_delivery"],
    }
}

labels! {
    /// The outcome of an attempt at a job. `lost`: its lease expired before it finished.
    JobOutcome ["outcome"] {
        Success ["success"],
        Retry ["retry"],
        Dead ["dead"],
        Lost ["lost"],
    }
}

labels! {
    /// The outcome of an operation, as success or failure; [`Outcome`](super::Outcome) has success or error.
    Ending ["status"] {
        Success ["success"],
        Failure ["failure"],
    }
}
