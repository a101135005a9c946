//! Closed sets of names for environments: drivers and their operations, statuses, sessions, extensions, and the streams of logs.

string_enum! {
    /// The environment driver.
    #[derive(clap::ValueEnum, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    DriverName {
        Docker "docker",
        Sim "sim",
    }
}

string_enum! {
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

string_enum! {
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

string_enum! {
    /// The type of a workspace session.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    SessionType {
        Vscode "vscode",
        Tmux "tmux",
        Shell "shell",
    }
}

string_enum! {
    /// The status of a workspace session.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    SessionStatus {
        Active "active",
        Closed "closed",
    }
}

string_enum! {
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

string_enum! {
    /// The source of a log line of an environment; `system` is Vitrine itself.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    LogStream {
        Stdout "stdout",
        Stderr "stderr",
        System "system",
    }
}
