//! Closed sets of names for environments: drivers and their operations, statuses, sessions, extensions, and the streams of logs.

words! {
    /// The environment driver.
    #[derive(clap::ValueEnum, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    DriverName {
        Docker "docker",
        Sim "sim",
    }
}

words! {
    /// A call to the environment driver.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    DriverOperation {
        Ping "ping",
        Pull "pull",
        Create "create",
        Start "start",
        Stop "stop",
        Restart "restart",
        Remove "remove",
        Exec "exec",
        Logs "logs",
        Inspect "inspect",
        List "list",
    }
}

words! {
    /// The status of an environment.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    EnvironmentStatus {
        Creating "creating",
        Starting "starting",
        Running "running",
        Stopping "stopping",
        Stopped "stopped",
        Error "error",
        Deleting "deleting",
    }
}

words! {
    /// The type of a workspace session.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    SessionType {
        Vscode "vscode",
        Tmux "tmux",
        Shell "shell",
    }
}

words! {
    /// The status of a workspace session.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    SessionStatus {
        Active "active",
        Closed "closed",
    }
}

words! {
    /// An extension that can be installed in an environment.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "kebab-case")]
    Extension {
        ShellPrompt "shell-prompt",
        GitAliases "git-aliases",
        EditorDefaults "editor-defaults",
        Heartbeat "heartbeat",
        NodeTools "node-tools",
        CargoTools "cargo-tools",
    }
}

words! {
    /// The source of a log line of an environment; `system` is Vitrine itself.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    LogStream {
        Stdout "stdout",
        Stderr "stderr",
        System "system",
    }
}
