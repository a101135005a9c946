//! Labels of accounts, limits and calls to platforms.

use super::{Keys, Labels};

labels! {
    /// An authentication method.
    AuthMethod ["method"] {
        Password ["password"],
        Token ["token"],
        Oauth ["oauth"],
    }
}

labels! {
    /// A step of an OAuth sign-in or link, or an operation on a linked account.
    OauthOperation ["operation"] {
        Start ["start"],
        Callback ["callback"],
        Refresh ["refresh"],
        Revoke ["revoke"],
    }
}

labels! {
    /// The kind of a call to a platform.
    ApiEndpoint ["endpoint"] {
        Discovery ["discovery"],
        Keys ["keys"],
        Token ["token"],
        Revocation ["revocation"],
        Identity ["identity"],
        Post ["post"],
        Insights ["insights"],
    }
}

labels! {
    /// The outcome of a call to a platform. `rate_limited` is a 429, `refused` any other 4xx or a 3xx, `failed` a 5xx or a response that is
    /// too long, and `cancelled` a call whose caller stopped waiting.
    ApiStatus ["status"] {
        Success ["success"],
        Refused ["refused"],
        RateLimited ["rate_limited"],
        Failed ["failed"],
        Timeout ["timeout"],
        Unreachable ["unreachable"],
        Cancelled ["cancelled"],
    }
}

labels! {
    /// The outcome of an authentication attempt.
    AuthStatus ["status"] {
        Success ["success"],
        Failure ["failure"],
        Throttled ["throttled"],
    }
}

labels! {
    /// A change of an account's credentials, or the request for the mail that allows it.
    AuthEvent ["event"] {
        ConfirmationRequest ["confirmation_request"],
        Confirmation ["confirmation"],
        PasswordResetRequest ["password_reset_request"],
        PasswordReset ["password_reset"],
        PasswordChange ["password_change"],
        SecondFactor ["second_factor"],
        SecondFactorChange ["second_factor_change"],
        Deletion ["deletion"],
    }
}

labels! {
    /// The kind of a mail to the owner of an account.
    MailTemplate ["template"] {
        Confirmation ["confirmation"],
        PasswordReset ["password_reset"],
        PasswordChanged ["password_changed"],
    }
}

labels! {
    /// The outcome of an attempt to send a mail. `refused` means that the mail server does not accept the recipient; after `failed`, the
    /// mail is attempted again.
    MailOutcome ["outcome"] {
        Sent ["sent"],
        Refused ["refused"],
        Failed ["failed"],
    }
}

labels! {
    /// The limit that rejected a login, request, password hash, connection or event.
    Limiter ["limiter"] {
        LoginAccount ["login_account"],
        LoginNetwork ["login_address"],
        LoginsAtOnce ["logins_at_once"],
        Registrations ["registrations"],
        MailAccount ["mail_account"],
        MailNetwork ["mail_address"],
        OauthRequests ["oauth_requests"],
        PasswordHashing ["password_hashing"],
        SocketConnections ["socket_connections"],
        SocketEvents ["socket_events"],
        Beacons ["beacons"],
    }
}
