//! The labels of accounts, limits and platforms.

use super::{Keys, Labels};

labels! {
    /// What an account is proven by.
    AuthMethod ["method"] {
        Password ["password"],
        Token ["token"],
        Oauth ["oauth"],
    }
}

labels! {
    /// A site with accounts of its own that Vitrine knows how to talk to.
    #[derive(PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    Platform ["platform"] {
        Github ["github"],
        Gitlab ["gitlab"],
        Google ["google"],
        Mastodon ["mastodon"],
        Linkedin ["linkedin"],
        X ["x"],
    }
}

labels! {
    /// A step of signing in or linking by a platform, or of what follows from a link.
    OauthOperation ["operation"] {
        Start ["start"],
        Callback ["callback"],
        Refresh ["refresh"],
        Revoke ["revoke"],
    }
}

labels! {
    /// What a platform is asked for.
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
    /// How a platform took a call: `refused` is a 4xx, `failed` a 5xx, `cancelled` a call that nobody waited for any more.
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
    /// How a proof of identity ended.
    AuthStatus ["status"] {
        Success ["success"],
        Failure ["failure"],
        Throttled ["throttled"],
    }
}

labels! {
    /// The limit that refused something.
    Limiter ["limiter"] {
        LoginAccount ["login_account"],
        LoginAddress ["login_address"],
        LoginsAtOnce ["logins_at_once"],
        Registrations ["registrations"],
        OauthRequests ["oauth_requests"],
        PasswordHashing ["password_hashing"],
        SocketConnections ["socket_connections"],
        SocketEvents ["socket_events"],
        Beacons ["beacons"],
    }
}
