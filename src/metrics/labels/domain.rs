//! Enums of the domain as labels. This file gives each enum its key; the label values are the names of its members.

use super::{Keys, Labels};
use crate::domain::{
    DriverName, DriverOperation, EnvironmentStatus, Extension, FaultKind, LogStream, Platform, SessionStatus, SessionType,
};

macro_rules! projections {
    ($($set:ident $key:literal,)+) => {
        $(
            impl Keys for $set {
                fn keys() -> Vec<&'static str> { vec![$key] }
            }

            impl Labels for $set {
                const COUNT: usize = Self::MEMBERS.len();
                fn index(self) -> usize { self as usize }
                fn all() -> Vec<Vec<&'static str>> { Self::MEMBERS.iter().map(|member| vec![member.name()]).collect() }
            }
        )+
    };
}

projections! {
    DriverName "driver",
    DriverOperation "operation",
    EnvironmentStatus "status",
    Extension "extension",
    FaultKind "fault",
    LogStream "stream",
    Platform "platform",
    SessionStatus "status",
    SessionType "type",
}
