//! The rooms of the crate: who imports whom, how large they are, and where features may be asked for.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const CONTRACT: [&str; 9] =
    ["error", "waiting", "head", "lifecycle", "start_response", "body", "input", "environ", "application"];

/// The rooms that a room may import, beside itself; `None` for a room that nobody has placed yet.
fn may_import(room: &str) -> Option<Vec<&'static str>> {
    let contract = CONTRACT.to_vec();
    let and = |more: &[&'static str]| [&CONTRACT, more].concat();
    Some(match room {
        // The documentation imports nothing; `lib.rs` is excepted.
        "guide" | "wire" => vec![],
        "error" => vec![],
        "waiting" => vec!["error"],
        room if CONTRACT.contains(&room) => contract,
        "exchange" => contract,
        "capture" => and(&["exchange"]),
        // Request headers that middleware and endpoints both read.
        "accept_encoding" | "entity_tag" => vec![],
        "middleware" | "apps" => and(&["exchange", "capture", "accept_encoding", "entity_tag"]),
        "lint" => and(&["exchange", "capture"]),
        "server" => and(&["exchange"]),
        "adapters" => and(&["exchange", "server", "wire"]),
        "testing" => and(&["exchange", "capture", "middleware", "lint", "apps", "adapters", "crate root"]),
        "run" => and(&["server", "adapters"]),
        _ => return None,
    })
}

/// A source file, relative to `src`.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The first part of its path, without `.rs`.
    fn room(&self) -> String {
        let first = self.path.iter().next().unwrap().to_str().unwrap();
        first.strip_suffix(".rs").unwrap_or(first).to_owned()
    }

    /// Its lines of code with their numbers: without blank lines, comments and its own tests.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().map(str::trim).enumerate().map(|(number, line)| (number + 1, line));
        lines
            .take_while(|(_, line)| *line != "#[cfg(test)]")
            .filter(|(_, line)| !line.is_empty() && !line.starts_with("//"))
    }

    /// The rooms that a line of it names by `crate::`, with the number of the line.
    fn imports(&self) -> Vec<(usize, String)> {
        let mut imports = Vec::new();
        for (number, line) in self.code() {
            for after in line.split("crate::").skip(1) {
                imports.extend(first_names(after).into_iter().map(|name| (number, room_of(&name))));
            }
        }
        imports
    }
}

/// `body::Body` is `body`; `{Environ, middleware}` is both of them.
fn first_names(after: &str) -> Vec<String> {
    let name = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    match after.strip_prefix('{') {
        None => vec![name(after)],
        Some(list) => {
            let list = list.split('}').next().unwrap();
            assert!(!list.contains('{'), "this test does not read nested lists: {after}");
            list.split(',').map(name).filter(|name| !name.is_empty()).collect()
        }
    }
}

/// A name in the root of the crate is a room, or one of what `lib.rs` exports from the rooms.
fn room_of(name: &str) -> String {
    match Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(format!("{name}.rs")).exists() {
        true => name.to_owned(),
        false => "crate root".to_owned(),
    }
}

fn sources() -> Vec<Source> {
    fn walk(directory: &Path, root: &Path, all: &mut Vec<Source>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, all);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                all.push(Source { path: path.strip_prefix(root).unwrap().to_owned(), text });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    walk(&root, &root, &mut all);
    all.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(all.len() > 20, "the sources are found");
    all
}

/// Fails with all faults at once, a line each.
fn none(faults: &[String], what: &str) {
    assert!(faults.is_empty(), "{what}:\n  {}\n", faults.join("\n  "));
}

#[test]
fn imports_point_down() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.room() != "lib") {
        let room = source.room();
        let Some(allowed) = may_import(&room) else {
            faults.push(format!("src/{}: nobody has said what the room `{room}` may import", source.path.display()));
            continue;
        };
        for (number, import) in source.imports() {
            // The default of `Result` is the one name that the error takes from above.
            let is_the_default =
                room == "error" && source.text.lines().nth(number - 1).unwrap().contains("T = crate::Body");
            if import != room && !allowed.contains(&&*import) && !is_the_default {
                faults.push(format!("src/{}:{number}: `{room}` must not import `{import}`", source.path.display()));
            }
        }
    }
    none(&faults, "imports point up");
}

#[test]
fn only_one_place_of_testing_knows_an_adapter() {
    let places: BTreeSet<_> = sources()
        .iter()
        .filter(|source| !matches!(&*source.room(), "adapters" | "run" | "lib"))
        .filter(|source| source.imports().iter().any(|(_, room)| room == "adapters"))
        .map(|source| source.path.display().to_string())
        .collect();
    assert!(places.len() <= 1, "{places:?}");
    assert!(places.iter().all(|place| place.starts_with("testing")), "{places:?}");
}

#[test]
fn wire_is_about_bytes_and_nothing_else() {
    for source in sources().iter().filter(|source| source.room() == "wire") {
        for (number, line) in source.code() {
            for other in ["tokio", "hyper", "std::net", "std::fs", "Environ"] {
                assert!(!line.contains(other), "src/{}:{number}: {line}", source.path.display());
            }
            let root = line.strip_prefix("use ").and_then(|path| path.split("::").next());
            let is_allowed = root.is_none_or(|root| ["std", "bytes", "http", "crate", "super"].contains(&root));
            assert!(is_allowed, "src/{}:{number}: {line}", source.path.display());
        }
    }
}

#[test]
fn the_contract_stays_small() {
    let counts =
        |source: &Source| CONTRACT.contains(&&*source.room()) || matches!(&*source.room(), "exchange" | "capture");
    let lines: usize = sources().iter().filter(|source| counts(source)).map(|source| source.code().count()).sum();
    assert!(lines <= 3_700, "the contract, the exchange and capture have {lines} lines of code");
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let long = |source: &Source| {
        let lines = source.text.lines().count();
        (lines > 500).then(|| format!("src/{} has {lines} lines", source.path.display()))
    };
    none(&sources().iter().filter_map(long).collect::<Vec<_>>(), "one idea a file");
}

#[test]
fn features_are_asked_for_on_mod_and_use_lines_alone() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.room() != "testing") {
        let lines: Vec<_> = source.code().collect();
        for (at, (number, line)) in lines.iter().enumerate() {
            if !line.contains("feature = \"") {
                continue;
            }
            // An attribute may go over several lines.
            let is_attribute = |line: &&str| line.starts_with(['#', ')']) || line.starts_with("feature = ");
            let item = lines[at + 1..].iter().map(|(_, line)| *line).find(|line| !is_attribute(line));
            let item = item.unwrap_or_default();
            let item = item.strip_prefix("pub(crate) ").or(item.strip_prefix("pub ")).unwrap_or(item);
            if !item.starts_with("mod ") && !item.starts_with("use ") {
                faults.push(format!("src/{}:{number}: {line} before `{item}`", source.path.display()));
            }
        }
    }
    none(&faults, "a feature adds whole modules");
}

#[test]
fn each_file_begins_with_a_sentence_that_says_what_it_is() {
    let silent = |source: &Source| {
        let first = source.text.lines().next().unwrap_or_default();
        let says = first.strip_prefix("//! ").is_some_and(|sentence| sentence.len() > 10);
        (!says).then(|| format!("src/{}: {first:?}", source.path.display()))
    };
    none(&sources().iter().filter_map(silent).collect::<Vec<_>>(), "files without a first sentence");
}

#[test]
fn nothing_is_unsafe_unfinished_or_ignored() {
    let mut faults = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            for word in ["unsafe ", "todo!(", "unimplemented!(", "#[ignore", "dbg!("] {
                if line.contains(word) && !line.trim_start().starts_with("//") {
                    faults.push(format!("src/{}:{}: {line}", source.path.display(), number + 1));
                }
            }
        }
    }
    none(&faults, "words that have no place here");
    let lib = sources().into_iter().find(|source| source.path == Path::new("lib.rs")).unwrap();
    assert!(lib.text.contains("#![forbid(unsafe_code)]"));
}

#[test]
fn nothing_is_printed_by_what_panics_when_nobody_reads() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.room() != "testing") {
        for (number, line) in source.code() {
            let is_help = source.room() == "run" && line == r#"print!("{}", help(&program));"#;
            if !is_help && prints(line) {
                faults.push(format!("src/{}:{number}: {line}", source.path.display()));
            }
        }
    }
    none(&faults, "`Errors::line` writes a line that may get lost");
}

fn prints(line: &str) -> bool {
    ["print!(", "println!("].iter().any(|word| line.contains(word))
}

#[test]
fn this_test_can_see() {
    assert!(prints(r#"eprintln!("a");"#) && prints(r#"print!("a")"#) && !prints(r#"writeln!(log, "a")"#));
    assert_eq!(first_names("body::{Body, Source};"), ["body"]);
    assert_eq!(first_names("{Environ, middleware};"), ["Environ", "middleware"]);
    assert_eq!((room_of("body").as_str(), room_of("Environ").as_str()), ("body", "crate root"));
    let text = "use crate::exchange::Exchange;\n// use crate::lint;\nlet x = crate::adapters::http::Server;\n";
    let source = Source { path: "body/mod.rs".into(), text: text.to_owned() };
    assert_eq!(source.room(), "body");
    assert_eq!(source.imports(), [(1, "exchange".to_owned()), (3, "adapters".to_owned())]);
}
