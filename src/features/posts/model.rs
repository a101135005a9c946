//! The types of posts, and the validation of requests.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::Schema;
use uuid::Uuid;

use crate::domain::Platform;
use crate::domain::validation::FieldError;
use crate::domain::validation::{Fields, Paragraph, some_of};
use crate::platforms::api::Message;

/// Text of a post, without the link.
pub type Text = Paragraph<1, 2000>;

/// Status of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// An attempt will follow.
    Pending,
    /// The platform has accepted the post.
    Delivered,
    /// The delivery has failed for good; the last error is the reason.
    Failed,
}

impl DeliveryStatus {
    /// Parses the database's value; `None` if this version does not know it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "pending" => Some(Self::Pending),
            "delivered" => Some(Self::Delivered),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }

    /// The database's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// The delivery of a post to one platform.
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

/// Schema of a non-empty set of the platforms that support posts. The configuration decides which of them are available.
pub fn platforms() -> Schema {
    some_of(Platform::MEMBERS.iter().filter(|platform| Message::is_for(**platform)).map(|platform| platform.name()))
}

/// A valid request to create a post.
#[derive(Debug, Serialize)]
pub struct NewPost {
    pub project: Uuid,
    pub text: String,
    /// Sorted by name: a repeated request counts as the same even if it lists the platforms in another order.
    pub platforms: Vec<Platform>,
}

impl NewPost {
    /// Validates the request. `offered` returns whether posting on a platform is available.
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
            fields.refuse("platforms", "not_offered", format!("posting on {} is not available", platform.name()));
        }
        fields.finish(Self { project, text, platforms })
    }

    /// Checks the text and link against the limit of each platform in the request.
    pub fn check_length(&self, link: &str) -> Result<(), Vec<FieldError>> {
        let mut fields = Fields::default();
        let message = Message { text: &self.text, link };
        for platform in &self.platforms {
            if let Some(limit) = message.exceeds(*platform) {
                fields.refuse(
                    "text",
                    "too_long",
                    format!("must be at most {limit} characters as {} counts them, link included", platform.name()),
                );
            }
        }
        fields.finish(())
    }
}

/// The data that an attempt to deliver a post needs.
#[derive(Debug)]
pub struct Announcement {
    pub author: Uuid,
    pub text: String,
    pub link: String,
    /// Whether the project is still published.
    pub is_published: bool,
}

/// Figures of an account, as far as its platform reports them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    pub handle: String,
    pub followers: u64,
    pub posts: Option<u64>,
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
}
