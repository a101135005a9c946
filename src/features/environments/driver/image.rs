//! The images that environments are made from: a closed list, and all that of a request reaches a driver.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An image, by the reference under which a registry has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Image {
    /// A shell and small tools.
    #[serde(rename = "busybox:1.37")]
    Busybox,
    /// A small distribution with packages.
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

    /// The reference, which is also what the database holds.
    #[must_use]
    pub const fn reference(self) -> &'static str {
        match self {
            Self::Busybox => "busybox:1.37",
            Self::Alpine => "alpine:3.22",
            Self::Node => "node:24-alpine",
            Self::Rust => "rust:1.95-slim",
        }
    }

    /// The image of a reference.
    #[must_use]
    pub fn named(reference: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|image| image.reference() == reference)
    }

    /// Whether the image has a program, of those that extensions ask for.
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
    fn an_image_is_told_by_its_reference_everywhere() {
        for image in Image::ALL {
            assert_eq!(serde_json::to_value(image).unwrap(), image.reference());
            assert_eq!(Image::named(image.reference()), Some(image));
        }
        assert_eq!(Image::named("busybox"), None);
    }
}
