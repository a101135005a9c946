//! The kinds of events, and their list.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What happened to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditEvent {
    /// A sign-in with the password.
    SignIn,
    /// A sign-in with a wrong password, or a wrong code of the second factor.
    SignInFailed,
    /// A sign-in through a platform.
    PlatformSignIn,
    /// An account of a platform was linked.
    PlatformLinked,
    /// An account of a platform was unlinked.
    PlatformUnlinked,
    /// The address was confirmed.
    AddressConfirmed,
    /// The link of a mail was used to set a new password.
    PasswordReset,
    /// The owner changed the password.
    PasswordChanged,
    /// A second factor was activated.
    SecondFactorOn,
    /// The second factor was removed.
    SecondFactorOff,
    /// A sign-in used a recovery code.
    RecoveryCodeUsed,
    /// The account was deleted. Nobody can list this event; operators may find it in the database.
    AccountDeleted,
}

impl AuditEvent {
    const MEMBERS: [Self; 12] = [
        Self::SignIn,
        Self::SignInFailed,
        Self::PlatformSignIn,
        Self::PlatformLinked,
        Self::PlatformUnlinked,
        Self::AddressConfirmed,
        Self::PasswordReset,
        Self::PasswordChanged,
        Self::SecondFactorOn,
        Self::SecondFactorOff,
        Self::RecoveryCodeUsed,
        Self::AccountDeleted,
    ];

    /// The name in the database and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SignInFailed => "sign_in_failed",
            Self::PlatformSignIn => "platform_sign_in",
            Self::PlatformLinked => "platform_linked",
            Self::PlatformUnlinked => "platform_unlinked",
            Self::AddressConfirmed => "address_confirmed",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::SecondFactorOn => "second_factor_on",
            Self::SecondFactorOff => "second_factor_off",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::AccountDeleted => "account_deleted",
        }
    }

    /// Parses the database's value; `None` if this version does not know it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::MEMBERS.into_iter().find(|event| event.name() == text)
    }
}

/// An event of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// UUID version 7: sorts by time.
    pub id: Uuid,
    /// What happened.
    pub event: AuditEvent,
    /// Where the request came from: an IPv4 address, or an IPv6 network of 64 bits.
    pub network: Option<String>,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_the_database_and_in_the_api() {
        for event in AuditEvent::MEMBERS {
            assert_eq!(AuditEvent::parse(event.name()), Some(event));
            assert_eq!(serde_json::to_value(event).unwrap(), event.name());
        }
    }
}
