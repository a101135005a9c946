//! The labels of the process and of what it depends on.

use super::{Keys, Labels};

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
