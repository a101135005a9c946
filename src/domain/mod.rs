//! Terms that models, services and stores share: validation, paging, versions. No HTTP, SQL or Redis here; `http` maps these
//! types to requests and responses. A term of one feature belongs in the feature's `model.rs`.

mod entity_tag;
pub mod paging;
pub mod preconditions;
pub mod validation;
