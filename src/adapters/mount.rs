//! Mount points, as a deployer names them.

use crate::error::{Fault, Result};

/// A prefix such as `/app`, decoded; "" for the root, which is `/` too.
///
/// # Errors
///
/// For what is no such prefix.
pub(super) fn point(prefix: &str) -> Result<String> {
    let prefix = if prefix == "/" { "" } else { prefix };
    match prefix.is_empty() || (prefix.starts_with('/') && !prefix.ends_with('/')) {
        true => Ok(prefix.to_owned()),
        false => Err(Fault::Gateway(format!("{prefix:?} is no mount point such as \"/app\"")).into()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_mount_point_begins_with_a_slash_and_does_not_end_with_one() {
        for (prefix, point) in [("", ""), ("/", ""), ("/a", "/a"), ("/a/b", "/a/b"), ("/ä b", "/ä b")] {
            assert_eq!(super::point(prefix).unwrap(), point);
        }
        for prefix in ["a", "/a/", "//", "a/", " /a"] {
            let error = super::point(prefix).unwrap_err().to_string();
            assert_eq!(error, format!("{prefix:?} is no mount point such as \"/app\""));
        }
    }
}
