//! The labels of environments and jobs.

use super::{Keys, Labels};

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
