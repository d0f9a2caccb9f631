//! What stands in for a gateway in a program that was built without it.

#![allow(dead_code, reason = "what is there is not missing")]

use super::Job;
use crate::error::{Fault, Result};

/// Says what is missing; another gateway never takes its place.
macro_rules! missing {
    ($($gateway:ident)*) => {$(
        pub(super) mod $gateway {
            pub(in crate::run) fn serve(_job: super::Job) -> super::Result<()> {
                super::without(stringify!($gateway))
            }
        }
    )*};
}

missing! { cgi fastcgi http scgi uwsgi }

fn without(gateway: &str) -> Result<()> {
    Err(Fault::Gateway(format!("cannot serve {gateway}: this program was built without feature `{gateway}`")).into())
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_missing_is_named_with_its_feature() {
        let error = super::without("scgi").unwrap_err();
        assert_eq!(error.to_string(), "cannot serve scgi: this program was built without feature `scgi`");
    }
}
