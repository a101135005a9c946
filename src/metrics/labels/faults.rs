//! The label of faults that are made on purpose. What each does is said in [`faults`](crate::faults).

use super::{Keys, Labels};

labels! {
    /// A kind of fault.
    #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    FaultKind ["fault"] {
        Latency ["latency"],
        Error ["error"],
        Panic ["panic"],
        Memory ["memory"],
        Block ["block"],
        Database ["database"],
        DropEvent ["drop_event"],
        Driver ["driver"],
        Login ["login"],
        Task ["task"],
    }
}
