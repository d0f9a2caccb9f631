//! The coding whose feature is off.

use super::Coding;

pub(super) const OFFERED: Option<Coding> = None;
