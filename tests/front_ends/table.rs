//! The table of docs/conformance.md: made anew of what has run, and compared with what is there.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use vestibule::testing::conformance;

use super::{PAIRS, Run, Runs, directory};
use crate::pairs::{Difference, Pair};
use crate::servers::SERVERS;

const BEGIN: &str =
    "<!-- From here on it is written by: CONFORMANCE_TABLE=write cargo test --all-features --test front_ends -->\n";

pub(crate) fn make_or_compare() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md");
    let text = fs::read_to_string(&path).expect("the page is there");
    let (prose, written) = text.split_once(BEGIN).expect("the page says where the table begins");
    // A few at once: most of the time of a run is spent waiting.
    let runs: Vec<&[Run]> = PAIRS.chunks(7).flat_map(run_all).collect();
    let table = table(&runs);
    if std::env::var_os("CONFORMANCE_TABLE").is_some_and(|value| value == "write") {
        fs::write(&path, format!("{prose}{BEGIN}{table}")).expect("it can be written");
        return;
    }
    let differs = table.lines().zip(written.lines()).find(|(made, written)| made != written);
    assert!(
        table == written,
        "docs/conformance.md is not what has run, at {differs:?}; write it anew with:\n\
         CONFORMANCE_TABLE=write cargo test --all-features --test front_ends"
    );
}

fn run_all(pairs: &[(&Pair, Runs)]) -> Vec<&'static [Run]> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = pairs.iter().map(|(_, run)| scope.spawn(*run)).collect();
        threads.into_iter().map(|thread| thread.join().expect("the pair runs")).collect()
    })
}

fn table(runs: &[&[Run]]) -> String {
    let mut text = String::from(
        "\n| front end | protocol | configuration | mounted at | passed | different | skipped |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for ((pair, _), runs) in PAIRS.iter().zip(runs) {
        for run in *runs {
            let different = pair.differences_at(run.mount).count();
            let skipped = run.report.skipped().len();
            let passed = conformance::cases().len() - different - skipped;
            let mount = if run.mount.is_empty() { "/" } else { run.mount };
            let _ = writeln!(
                text,
                "| {} | {} | `{}` | `{mount}` | {passed} | {different} | {skipped} |",
                pair.server.name(),
                pair.protocol,
                file(pair),
            );
        }
    }
    for (pair, _) in PAIRS {
        let _ = write!(text, "\n## {}, {}\n\n", pair.server.name(), pair.protocol);
        let _ = write!(text, "| case | what {} does |\n|---|---|\n", pair.server.name());
        let mut differences: Vec<&Difference> = pair.differences().collect();
        differences.sort_by_key(|difference| position(difference.case));
        for difference in differences {
            let place = match difference.only_at {
                None => "",
                Some("") => " (at the root)",
                Some(_) => " (below the root)",
            };
            let _ = writeln!(text, "| {} | {}{place} |", difference.case, difference.why);
        }
        text.push_str("\n| skipped: what needs | since |\n|---|---|\n");
        for lack in pair.lacks {
            let _ = writeln!(text, "| {} | {} |", lack.0, lack.1);
        }
    }
    text
}

/// Where a case stands in the suite.
fn position(name: &str) -> usize {
    let position = conformance::cases().iter().position(|case| case.name() == name);
    position.unwrap_or_else(|| panic!("the suite has no case {name}"))
}

#[test]
fn each_difference_of_a_pair_is_one_of_the_suite_and_there_once() {
    for (pair, _) in PAIRS {
        for mount in pair.mounts {
            let mut cases: Vec<usize> =
                pair.differences_at(mount.prefix).map(|difference| position(difference.case)).collect();
            cases.sort_unstable();
            let twice = cases.windows(2).find(|two| two[0] == two[1]).map(|two| conformance::cases()[two[0]].name());
            assert_eq!(twice, None, "{} {} at {:?}", pair.server.name(), pair.file, mount.prefix);
        }
    }
}

#[test]
fn the_suite_runs_through_every_configuration_of_a_front_end() {
    let run: BTreeSet<String> = PAIRS.iter().map(|(pair, _)| file(pair)).collect();
    assert_eq!(configurations(), run);
}

fn file(pair: &Pair) -> String {
    format!("{}/{}", pair.server.directory(), pair.file)
}

/// Every configuration of a front end.
fn configurations() -> BTreeSet<String> {
    let files = SERVERS.iter().flat_map(|server| {
        let entries = fs::read_dir(directory().join(server.directory())).expect("there are configurations");
        entries.map(|entry| {
            format!("{}/{}", server.directory(), entry.expect("it can be read").file_name().to_string_lossy())
        })
    });
    files.collect()
}
