//! The guide, the specification and the reasons for the design, as in `docs/` of the repository.
//!
//! Begin with [the first application](hello), or look at [the contents](contents). This module is in the documentation
//! only; the examples on its pages are tests.

/// The pages link to each other by file names, which work in the repository. Here the same names lead to modules: of
/// two definitions of a link the first one counts, and these stand before those of the page.
macro_rules! pages {
    ($($name:ident = $file:literal;)*) => {$(
        #[doc = pages!(@links)]
        #[doc = include_str!(concat!("../docs/", $file))]
        pub mod $name {}
    )*};
    (@links) => {
        "[README.md]: crate::guide::contents
[adapters.md]: crate::guide::adapters
[apache.md]: crate::guide::apache
[async.md]: crate::guide::async_applications
[body.md]: crate::guide::body
[compiler-messages.md]: crate::guide::compiler_messages
[conformance.md]: crate::guide::conformance
[deploying.md]: crate::guide::deploying
[design.md]: crate::guide::design
[environ.md]: crate::guide::environ
[errors.md]: crate::guide::errors
[gateways.md]: crate::guide::gateways
[from-wsgi.md]: crate::guide::from_wsgi
[haproxy.md]: crate::guide::haproxy
[hello.md]: crate::guide::hello
[input.md]: crate::guide::input
[lighttpd.md]: crate::guide::lighttpd
[limits.md]: crate::guide::limits
[lint.md]: crate::guide::lint
[middleware.md]: crate::guide::middleware
[nginx.md]: crate::guide::nginx
[performance.md]: crate::guide::performance
[response.md]: crate::guide::response
[serving.md]: crate::guide::serving
[shared-hosting.md]: crate::guide::shared_hosting
[spec.md]: crate::guide::spec
[systemd.md]: crate::guide::systemd
[testing.md]: crate::guide::testing
[tower.md]: crate::guide::tower
"
    };
}

pages! {
    contents = "guide/README.md";
    hello = "guide/hello.md";
    environ = "guide/environ.md";
    input = "guide/input.md";
    response = "guide/response.md";
    body = "guide/body.md";
    errors = "guide/errors.md";
    middleware = "guide/middleware.md";
    async_applications = "guide/async.md";
    testing = "guide/testing.md";
    serving = "guide/serving.md";
    gateways = "guide/gateways.md";
    deploying = "deploy/deploying.md";
    nginx = "deploy/nginx.md";
    apache = "deploy/apache.md";
    lighttpd = "deploy/lighttpd.md";
    haproxy = "deploy/haproxy.md";
    shared_hosting = "deploy/shared-hosting.md";
    systemd = "deploy/systemd.md";
    limits = "limits.md";
    tower = "guide/tower.md";
    lint = "guide/lint.md";
    from_wsgi = "guide/from-wsgi.md";
    compiler_messages = "guide/compiler-messages.md";
    adapters = "guide/adapters.md";
    conformance = "guide/conformance.md";
    spec = "spec.md";
    design = "design.md";
    performance = "performance.md";
}
