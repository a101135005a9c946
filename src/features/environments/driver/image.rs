//! The images of environments. The list is closed, and the image is the only part of a request that affects a container's configuration.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An image, named by its reference in a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Image {
    /// Shell and small tools.
    #[serde(rename = "busybox:1.37")]
    Busybox,
    /// Small distribution with a package manager.
    #[serde(rename = "alpine:3.22")]
    Alpine,
    /// Node.js.
    #[serde(rename = "node:24-alpine")]
    Node,
    /// The Rust toolchain.
    #[serde(rename = "rust:1.95-slim")]
    Rust,
}

impl Image {
    /// Every image.
    pub const ALL: [Self; 4] = [Self::Busybox, Self::Alpine, Self::Node, Self::Rust];

    /// The image's reference, which the database stores.
    #[must_use]
    pub const fn reference(self) -> &'static str {
        match self {
            Self::Busybox => "busybox:1.37",
            Self::Alpine => "alpine:3.22",
            Self::Node => "node:24-alpine",
            Self::Rust => "rust:1.95-slim",
        }
    }

    /// Finds an image by its reference.
    #[must_use]
    pub fn named(reference: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|image| image.reference() == reference)
    }

    /// Whether the image contains a program. Knows only the programs that extensions require; for any other program, returns `false`.
    #[must_use]
    pub fn has(self, program: &str) -> bool {
        match self {
            Self::Busybox | Self::Alpine => false,
            Self::Node => program == "node",
            Self::Rust => program == "cargo",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_serialized_and_parsed_by_reference() {
        for image in Image::ALL {
            assert_eq!(serde_json::to_value(image).unwrap(), image.reference());
            assert_eq!(Image::named(image.reference()), Some(image));
        }
        assert_eq!(Image::named("busybox"), None);
    }
}
