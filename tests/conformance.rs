//! The conformance suite, run by this crate over its own gateways; and tests of the suite itself.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use vestibule::lint::rule;
use vestibule::testing::conformance::{self, Memory, Need, Report};

#[path = "conformance/broken.rs"]
mod broken;
#[cfg(feature = "http")]
#[path = "conformance/http.rs"]
mod http;
#[path = "conformance/reading.rs"]
mod reading;
#[cfg(all(feature = "http", feature = "tower"))]
#[path = "conformance/tower.rs"]
mod tower;

/// Every case passed, but for those that need one of these.
#[track_caller]
fn assert_conforms(report: &Report, lacks: &[Need]) {
    assert_differs(report, lacks, &[]);
    report.assert_passed();
}

/// As [`assert_conforms`], where these cases fail so, each for a reason that is told beside it.
#[track_caller]
fn assert_differs(report: &Report, lacks: &[Need], differences: &[(&str, &str)]) {
    println!("{report}");
    let failed = report.failed();
    let seen: Vec<_> = failed.iter().map(|(case, why)| (case.name(), *why)).collect();
    assert_eq!(seen.len(), differences.len(), "{seen:#?}");
    for ((case, why), (name, expected)) in seen.iter().zip(differences) {
        assert!(case == name && why.contains(expected), "{case}: {why:?}, not {name}: {expected:?}");
    }
    for (case, why) in report.skipped() {
        let is_known = case.needs().iter().any(|need| lacks.contains(need));
        assert!(is_known, "{} was skipped: {why}", case.name());
    }
}

#[test]
fn memory_at_the_root() {
    let report = conformance::run(&Memory::new(conformance::application(), ""), "");
    assert_conforms(&report, &[Need::Wire, Need::Mount]);
}

#[test]
fn memory_below_a_mount_point() {
    let report = conformance::run(&Memory::new(conformance::application(), "/mnt"), "/mnt");
    assert_conforms(&report, &[Need::Wire]);
}

#[test]
fn every_rule_has_a_case() {
    let uncovered: Vec<String> =
        conformance::uncovered_rules().iter().map(|rule| format!("{} {}", rule.id(), rule.text())).collect();
    assert_eq!(uncovered.len(), 0, "no case is about these rules:\n{}", uncovered.join("\n"));
}

#[test]
fn every_case_is_about_rules_that_exist() {
    for case in conformance::cases() {
        assert_ne!(case.rules().len(), 0, "{} is about no rule", case.name());
        for id in case.rules() {
            assert!(rule(id).is_some(), "{}: there is no rule {id}", case.name());
        }
    }
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = conformance::cases().iter().map(|case| case.name()).collect();
    assert_eq!(names.len(), conformance::cases().len());
    for name in names {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(name.bytes().all(is_plain), "{name} cannot be the value of a header everywhere");
        assert!(!["notes", "tell"].contains(&name), "{name} is a request of the suite itself");
    }
}

#[test]
fn each_case_that_is_skipped_tells_why() {
    let report = conformance::run(&broken::Poor, "");
    assert!(!report.skipped().is_empty());
    for (case, why) in report.skipped() {
        assert!(why.starts_with("needs "), "{}: {why}", case.name());
    }
    let sum = report.passed().len() + report.failed().len() + report.skipped().len();
    assert_eq!(sum, conformance::cases().len());
}
