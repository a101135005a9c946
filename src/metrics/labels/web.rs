//! Labels of pages and of the reports from browsers (beacons). A beacon can use only the values listed here.

use super::{Keys, Labels};

labels! {
    /// A page, by its route template.
    PageRoute ["route"] {
        Home ["/"],
        About ["/about"],
        Login ["/login"],
        Operator ["/operator"],
        Confirm ["/confirm"],
        PasswordReset ["/password-reset"],
        Showcase ["/projects"],
        Published ["/projects/{slug}"],
        Studio ["/studio"],
        Project ["/studio/projects/{id}"],
        Environment ["/studio/environments/{id}"],
        Posts ["/studio/posts"],
        Accounts ["/studio/accounts"],
        SecondFactor ["/studio/accounts/second-factor"],
        AccountEvents ["/studio/accounts/events"],
        Faults ["/studio/faults"],
    }
}

labels! {
    /// A Web Vital that is a duration (web.dev/vitals).
    Vital ["vital"] {
        Lcp ["lcp"],
        Inp ["inp"],
        Ttfb ["ttfb"],
        Fcp ["fcp"],
    }
}

labels! {
    /// The type of a static asset.
    AssetType ["type"] {
        Script ["script"],
        Style ["style"],
        Font ["font"],
        Image ["image"],
    }
}

labels! {
    /// The kind of an error in a browser.
    ClientError ["type"] {
        Error ["error"],
        UnhandledRejection ["unhandled_rejection"],
        Resource ["resource"],
        CspViolation ["csp_violation"],
    }
}

labels! {
    /// The outcome of an API call from a page; `failed` means that no response arrived.
    CallStatus ["status"] {
        Success ["2xx"],
        Refused ["4xx"],
        Failure ["5xx"],
        Failed ["failed"],
    }
}

labels! {
    /// A route that pages call.
    CalledEndpoint ["endpoint"] {
        Register ["/api/auth/register"],
        SignIn ["/api/auth/login"],
        SignOut ["/api/auth/logout"],
        SignOutAll ["/api/auth/logout-all"],
        Session ["/api/auth/sessions/{id}"],
        Confirmations ["/api/auth/confirmations"],
        Confirmation ["/api/auth/confirmations/redeem"],
        PasswordResets ["/api/auth/password-resets"],
        PasswordReset ["/api/auth/password-resets/redeem"],
        Password ["/api/auth/password"],
        SecondFactor ["/api/auth/second-factor"],
        SecondFactorActivation ["/api/auth/second-factor/activate"],
        SecondFactorRemoval ["/api/auth/second-factor/remove"],
        Deletion ["/api/auth/me/delete"],
        Fleet ["/api/fleet"],
        Projects ["/api/projects"],
        Project ["/api/projects/{id}"],
        Publication ["/api/projects/{id}/publish"],
        Members ["/api/projects/{id}/members"],
        Member ["/api/projects/{id}/members/{user_id}"],
        Environments ["/api/projects/{id}/environments"],
        Environment ["/api/environments/{id}"],
        Start ["/api/environments/{id}/start"],
        Stop ["/api/environments/{id}/stop"],
        Restart ["/api/environments/{id}/restart"],
        Sessions ["/api/environments/{id}/sessions"],
        EnvironmentSession ["/api/sessions/{id}"],
        Extension ["/api/environments/{id}/extensions/{extension}"],
        Posts ["/api/posts"],
        Insights ["/api/insights/{platform}"],
        Account ["/api/accounts/{id}"],
        AccountRefresh ["/api/accounts/{id}/refresh"],
        Fault ["/api/faults/{id}"],
    }
}
