//! The names of the external platforms. Their settings and clients are in [`platforms`](crate::platforms).

string_enum! {
    /// An external platform for sign-in or posts.
    #[derive(PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    Platform {
        Github "github",
        Gitlab "gitlab",
        Google "google",
        Mastodon "mastodon",
        Linkedin "linkedin",
        X "x",
    }
}
