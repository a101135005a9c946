//! The kinds of injected faults. [`fault_injection`](crate::fault_injection) defines their effects.

string_enum! {
    /// The kind of an injected fault.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    FaultKind {
        Latency "latency",
        Error "error",
        Panic "panic",
        Memory "memory",
        Block "block",
        Database "database",
        DropEvent "drop_event",
        Driver "driver",
        Login "login",
        Task "task",
    }
}
