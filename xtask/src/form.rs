//! `--production`: an option of verbs that start a stack. Without it the stack is a demo; with it, the stack runs as if behind a domain.

use devstack::form::Form;

/// Chooses the form of the stack.
#[derive(clap::Args)]
pub struct Choice {
    /// Run the stack as if behind a domain: a host name with HTTPS, Secure cookies, a token for the metrics.
    #[arg(long)]
    production: bool,
}

impl Choice {
    /// The selected form.
    pub fn form(&self) -> Form {
        if self.production { Form::Production } else { Form::Demo }
    }
}
