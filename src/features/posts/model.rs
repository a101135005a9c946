//! The types of posts, and what text may become one.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::Schema;
use uuid::Uuid;

use crate::http::FieldError;
use crate::http::fields::{Fields, Paragraph, some_of};
use crate::metrics::labels::Platform;
use crate::platforms::api::Message;

/// The text of a post, without the link.
pub type Text = Paragraph<1, 2000>;

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It will be attempted, for the first time or again.
    Pending,
    /// The platform has it.
    Delivered,
    /// The platform will not have it; the last error says why.
    Failed,
}

impl DeliveryStatus {
    /// The status that the database holds.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "pending" => Some(Self::Pending),
            "delivered" => Some(Self::Delivered),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }

    /// The status as the database holds it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// A post on one platform.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    pub platform: Platform,
    pub status: DeliveryStatus,
    pub attempts: i32,
    pub last_error: Option<String>,
    pub remote_id: Option<String>,
    pub url: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub delivered_at: Option<OffsetDateTime>,
}

/// A post.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Post {
    pub id: Uuid,
    pub project_id: Uuid,
    pub author_id: Uuid,
    pub text: String,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    pub deliveries: Vec<Delivery>,
}

/// The schema of a set of platforms on which one can post, where they are configured.
pub fn platforms() -> Schema {
    some_of(Platform::MEMBERS.iter().filter(|platform| Message::is_for(**platform)).map(|platform| platform.name()))
}

/// A post to be.
#[derive(Debug, Serialize)]
pub struct NewPost {
    pub project: Uuid,
    pub text: String,
    /// In the order of their names.
    pub platforms: Vec<Platform>,
}

impl NewPost {
    /// Checks what was sent. `offered` says whether one can post on a platform.
    pub fn parse(
        project: Uuid,
        text: &str,
        mut platforms: Vec<Platform>,
        offered: impl Fn(Platform) -> bool,
    ) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::default();
        let text = Text::read(&mut fields, "text", text);
        if platforms.is_empty() {
            fields.refuse("platforms", "too_short", "must name at least one platform");
        }
        platforms.sort_by_key(|platform| platform.name());
        if platforms.windows(2).any(|pair| pair[0] == pair[1]) {
            fields.refuse("platforms", "duplicate", "must name each platform once");
        }
        platforms.dedup();
        for platform in platforms.iter().filter(|platform| !offered(**platform)) {
            fields.refuse("platforms", "not_offered", format!("one cannot post on {} here", platform.name()));
        }
        fields.finish(Self { project, text, platforms })
    }

    /// Checks that every platform takes the text with the link.
    pub fn fit(&self, link: &str) -> Result<(), Vec<FieldError>> {
        let mut fields = Fields::default();
        let message = Message { text: &self.text, link };
        for platform in &self.platforms {
            if let Some(limit) = message.exceeds(*platform) {
                fields.refuse("text", "too_long", format!("{} takes at most {limit} characters, with the link", platform.name()));
            }
        }
        fields.finish(())
    }
}

/// What has to be known to attempt a delivery.
#[derive(Debug)]
pub struct Announcement {
    pub author: Uuid,
    pub text: String,
    pub link: String,
    /// Whether the project still is.
    pub is_published: bool,
}

/// What an account has come to, as far as its platform tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    pub handle: String,
    pub followers: u64,
    pub posts: Option<u64>,
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
}
