//! Terms that models, services and stores share: enums, validation, paging, versions. No HTTP, SQL or Redis here;
//! `http` maps these types to requests and responses, and `metrics` to labels. A term of one feature belongs in the feature's
//! `model.rs`.

/// Declares an enum: one line per member, with the member's name in the API, in the database and in metrics.
macro_rules! string_enum {
    ($(#[$meta:meta])* $set:ident { $($member:ident $name:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $set { $(#[doc = concat!("`", $name, "`")] $member,)+ }

        impl $set {
            /// All members, in the order of their declaration.
            pub const MEMBERS: &'static [Self] = &[$(Self::$member),+];

            /// The member's name.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$member => $name,)+ } }

            /// The member with this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> { Self::MEMBERS.iter().copied().find(|member| member.name() == name) }
        }
    };
}

mod entity_tag;
mod environments;
mod faults;
pub mod paging;
mod platforms;
pub mod preconditions;
pub mod validation;

pub use environments::{DriverName, DriverOperation, EnvironmentStatus, Extension, LogStream, SessionStatus, SessionType};
pub use faults::FaultKind;
pub use platforms::Platform;
