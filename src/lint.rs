//! `lint`, the validator: a middleware that checks both sides of the contract at run time.

mod rules;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub use rules::{Level, RULES, Rule, rule};

use crate::application::App;

/// Which side of lint broke a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Side {
    /// The gateway, or a middleware outside of lint.
    Gateway,
    /// The application, or a middleware inside of lint.
    Application,
}

/// A rule that was broken: which, at which layer, by which side, and how.
#[derive(Debug, Clone)]
pub struct Finding {
    rule: &'static Rule,
    layer: Arc<str>,
    side: Side,
    message: String,
}

impl Finding {
    /// The rule of docs/spec.md.
    pub fn rule(&self) -> &'static Rule {
        self.rule
    }

    /// The label of the lint that found it.
    pub fn layer(&self) -> &str {
        &self.layer
    }

    /// Whose fault it is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// What was seen.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {}: {} ({})", self.rule.level(), self.rule.id(), self.layer, self.message, self.rule.text())
    }
}

/// Where findings are gathered: put one into an environ's extensions, and every lint of that request adds to it.
#[derive(Debug, Clone, Default)]
pub struct Findings(Arc<Mutex<Vec<Finding>>>);

impl Findings {
    /// What was found so far.
    pub fn all(&self) -> Vec<Finding> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Checks what passes between the application inside and the gateway outside.
pub fn lint(label: &str) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let _label: Arc<str> = label.into();
    move |inner| inner
}
