//! The pages of docs/deploy: what they quote is what is tested.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::directory;

/// The languages of the blocks that are configurations.
const LANGUAGES: [&str; 5] = ["apache", "haproxy", "ini", "lighttpd", "nginx"];

#[test]
fn pages_quote_the_configurations_as_they_are_tested() {
    let files = configurations();
    let mut pages = String::new();
    for page in entries(directory().parent().expect("docs/deploy")).iter().filter(|page| page.is_file()) {
        let text = fs::read_to_string(page).expect("a page is a file of text");
        for (language, block) in blocks(&text) {
            let is_quoted = !LANGUAGES.contains(&language) || files.values().any(|file| *file == block);
            assert!(is_quoted, "{} quotes what is no file of docs/deploy/conf:\n{block}", page.display());
        }
        pages += &text;
    }
    for (name, text) in &files {
        let is_told = pages.contains(&format!("`{name}`")) || pages.contains(text);
        assert!(is_told, "no page of docs/deploy tells of `{name}`");
    }
}

#[test]
fn configurations_name_no_places_but_those_that_deploying_md_lists() {
    let known = ["/run/app", "/srv/app", "/etc/", "/", "/mnt", "/app/"];
    for (name, text) in configurations() {
        let configuration = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        for word in configuration.flat_map(|line| line.split([' ', '"', ';', '|', ':', '='])) {
            let is_known = !word.starts_with('/')
                || word.starts_with("//")
                || known.iter().any(|place| match *place {
                    "/" => word == "/",
                    place => word.starts_with(place),
                });
            assert!(is_known, "{name}: {word}");
        }
    }
}

/// The texts of docs/deploy/conf by their names, such as `nginx/http.conf`.
fn configurations() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for path in entries(&directory()).iter().flat_map(|directory| entries(directory)) {
        let name = path.strip_prefix(directory()).expect("it is below").display().to_string();
        files.insert(name, fs::read_to_string(path).expect("a configuration is a file of text"));
    }
    files
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    entries.map(|entry| entry.expect("it can be read").path()).collect()
}

/// The fenced blocks of a page with their languages.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block =
                lines.by_ref().take_while(|line| *line != "```").fold(String::new(), |text, line| text + line + "\n");
            blocks.push((language, block));
        }
    }
    blocks
}
