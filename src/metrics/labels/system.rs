//! Labels of the process and its dependencies.

use super::{Keys, Labels};

labels! {
    /// The source of a system error: a panic, an ended task, or a failed migration or connection.
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
    /// The severity of an error; `critical` requires human action.
    Severity ["severity"] {
        Warning ["warning"],
        Error ["error"],
        Critical ["critical"],
    }
}

labels! {
    /// A kind of telemetry that the service exports itself.
    TelemetrySignal ["signal"] {
        Traces ["traces"],
        Logs ["logs"],
    }
}

labels! {
    /// A statistic of the allocator.
    Heap ["kind"] {
        Allocated ["allocated"],
        Active ["active"],
        Resident ["resident"],
        Mapped ["mapped"],
    }
}

labels! {
    /// A dependency of the service; `all` is the overall readiness.
    Dependency ["dependency"] {
        Postgres ["postgres"],
        Redis ["redis"],
        EnvironmentDriver ["environment_driver"],
        All ["all"],
    }
}
