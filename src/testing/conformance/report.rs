//! What a run of the suite gives: each case passed, failed or was skipped, and why.

use std::fmt;

use super::Case;

/// The result of [`run`](super::run): every case, with what became of it.
#[derive(Debug, Clone)]
#[must_use = "a report that nobody reads has found nothing: call assert_passed()"]
pub struct Report {
    mount: String,
    results: Vec<(&'static Case, Verdict)>,
}

#[derive(Debug, Clone)]
pub(super) enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Report {
    pub(super) fn new(mount: &str, results: Vec<(&'static Case, Verdict)>) -> Self {
        Self { mount: mount.to_owned(), results }
    }

    /// The cases that passed.
    pub fn passed(&self) -> Vec<&'static Case> {
        let passed = self.results.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Passed));
        passed.map(|(case, _)| *case).collect()
    }

    /// The cases that failed, with what was expected and what came.
    pub fn failed(&self) -> Vec<(&'static Case, &str)> {
        self.pick(|verdict| match verdict {
            Verdict::Failed(why) => Some(why),
            _ => None,
        })
    }

    /// The cases that do not apply to this gateway or this client, with the reason.
    pub fn skipped(&self) -> Vec<(&'static Case, &str)> {
        self.pick(|verdict| match verdict {
            Verdict::Skipped(why) => Some(why),
            _ => None,
        })
    }

    fn pick(&self, why: impl Fn(&Verdict) -> Option<&String>) -> Vec<(&'static Case, &str)> {
        self.results.iter().filter_map(|(case, verdict)| Some((*case, &**why(verdict)?))).collect()
    }

    /// The rules that the failed cases are about, each once, in the order of the cases.
    pub fn failed_rules(&self) -> Vec<&'static str> {
        let mut rules = Vec::new();
        for rule in self.failed().iter().flat_map(|(case, _)| case.rules()) {
            if !rules.contains(rule) {
                rules.push(*rule);
            }
        }
        rules
    }

    /// Ends the test where a case failed.
    ///
    /// # Panics
    ///
    /// With the list of the cases that failed.
    #[track_caller]
    pub fn assert_passed(&self) {
        let failed = self.failed();
        if !failed.is_empty() {
            let list: Vec<String> = failed.iter().map(|(case, why)| line("failed", case, why)).collect();
            panic!("{self}\n{}", list.join("\n"));
        }
    }
}

impl fmt::Display for Report {
    /// A table of the cases, one a line, and the sum.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "conformance, mounted at {:?}", self.mount)?;
        for (case, verdict) in &self.results {
            let (word, why) = match verdict {
                Verdict::Passed => ("passed", ""),
                Verdict::Failed(why) => ("FAILED", &**why),
                Verdict::Skipped(why) => ("skipped", &**why),
            };
            writeln!(f, "{}", line(word, case, why))?;
        }
        let (passed, failed, skipped) = (self.passed().len(), self.failed().len(), self.skipped().len());
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

fn line(word: &str, case: &Case, why: &str) -> String {
    let line = format!("  {word:<8}{:<56}{:<16}{why}", case.name(), case.rules().join(" "));
    line.trim_end().to_owned()
}
