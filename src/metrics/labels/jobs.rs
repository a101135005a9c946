//! Labels of jobs and operations.

use super::{Keys, Labels};

labels! {
    /// The kind of a background job.
    JobKind ["kind"] {
        EnvironmentChange ["environment_change"],
        ExtensionChange ["extension_change"],
        EnvironmentReconcile ["environment_reconcile"],
        TokenRevocation ["token_revocation"],
        PostDelivery ["post_delivery"],
        AccountMail ["account_mail"],
    }
}

labels! {
    /// The outcome of an attempt at a job. `dead` is a dead letter. `lost` means that the replica lost the lease, returned the job when it
    /// shut down, or failed to store the outcome; another attempt may follow.
    JobOutcome ["outcome"] {
        Success ["success"],
        Retry ["retry"],
        Dead ["dead"],
        Lost ["lost"],
    }
}

labels! {
    /// The outcome of a driver call, an installation of an extension or an OAuth operation. Redis commands have an
    /// [`Outcome`](super::Outcome).
    Ending ["status"] {
        Success ["success"],
        Failure ["failure"],
    }
}
