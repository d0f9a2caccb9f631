//! The specification and `vestibule::lint::RULES` say the same, word for word.

use vestibule::lint::{Level, RULES, Rule, rule};

const SPEC: &str = include_str!("../docs/spec.md");

/// One rule as the specification or the table has it, with the same form for both.
#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    id: &'a str,
    level: &'a str,
    executed_by: &'a str,
    text: &'a str,
    section: &'a str,
}

/// The rules of the specification, in their order. A line that begins like a rule and is none is a fault of its author.
fn rows_of_the_specification() -> Vec<Row<'static>> {
    let mut section = "";
    let mut rows = Vec::new();
    for (number, line) in SPEC.lines().enumerate() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
        } else if line.trim_start().starts_with("- **") {
            let row = row(line, section);
            rows.push(row.unwrap_or_else(|| panic!("docs/spec.md:{}: not a rule: {line}", number + 1)));
        }
    }
    rows
}

/// Reads `- **F3** MUST (exchange) A body longer than ...`.
fn row<'a>(line: &'a str, section: &'a str) -> Option<Row<'a>> {
    let (id, rest) = line.strip_prefix("- **")?.split_once("** ")?;
    let (level, rest) = rest.split_once(" (")?;
    let (executed_by, text) = rest.split_once(") ")?;
    Some(Row { id, level, executed_by, text, section })
}

fn row_of(rule: &Rule) -> Row<'_> {
    let level = match rule.level() {
        Level::Must => "MUST",
        Level::Should => "SHOULD",
        other => panic!("{}: the specification has no level {other:?}", rule.id()),
    };
    Row { id: rule.id(), level, executed_by: rule.executed_by(), text: rule.text(), section: rule.section() }
}

#[test]
fn the_table_is_the_specification() {
    let specified = rows_of_the_specification();
    let listed: Vec<_> = RULES.iter().map(row_of).collect();
    for (specified, listed) in specified.iter().zip(&listed) {
        assert_eq!(
            specified, listed,
            "first difference at {}: docs/spec.md is on the left, lint::RULES on the right",
            specified.id
        );
    }
    if let Some(row) = specified.get(listed.len()) {
        panic!("first difference: lint::RULES ends before {} of docs/spec.md", row.id);
    }
    if let Some(row) = listed.get(specified.len()) {
        panic!("first difference: docs/spec.md ends before {} of lint::RULES", row.id);
    }
    assert!(!specified.is_empty(), "docs/spec.md has no rules");
}

/// A letter for a section, and numbers without a gap: so an id is unique, and its place in the text is known.
#[test]
fn ids_are_unique_and_in_order() {
    let mut letters: Vec<(&str, char)> = Vec::new();
    let mut number = 0;
    for rule in RULES {
        let letter = rule.id().chars().next().expect("an id is not empty");
        if letters.last() != Some(&(rule.section(), letter)) {
            let again = letters.iter().any(|&(section, other)| section == rule.section() || other == letter);
            assert!(!again, "{} is in the wrong place: section {:?}", rule.id(), rule.section());
            letters.push((rule.section(), letter));
            number = 0;
        }
        number += 1;
        assert_eq!(rule.id(), format!("{letter}{number}"), "ids are numbered one by one");
    }
    let all: String = letters.iter().map(|(_, letter)| letter).collect();
    assert_eq!(all, "EISHBFXMG", "the sections in their order");
}

#[test]
fn a_rule_is_one_sentence_and_somebody_executes_it() {
    for rule in RULES {
        let id = rule.id();
        assert!(
            ["exchange", "lint", "lint, exchange", "input", "environ", "gateway"].contains(&rule.executed_by()),
            "{id}: nobody is called {:?}",
            rule.executed_by()
        );
        let sentence = rule.text().strip_suffix('.').unwrap_or_else(|| panic!("{id} does not end with a full stop"));
        assert!(!sentence.contains(". "), "{id} is more than one sentence");
        assert!(sentence.len() < 185, "{id} is too long to be remembered: {} bytes", sentence.len());
    }
}

#[test]
fn a_rule_is_found_by_its_id() {
    for expected in RULES {
        assert_eq!(rule(expected.id()), Some(expected));
    }
    assert_eq!(rule("F0"), None);
    assert_eq!(rule(""), None);
}

/// The prose, too, may only name rules that exist.
#[test]
fn the_prose_names_rules_that_exist() {
    for (number, line) in SPEC.lines().enumerate() {
        for word in line.split(|character: char| !character.is_ascii_alphanumeric()) {
            let looks_like_one = match word.split_at_checked(1) {
                Some((letter, digits)) => {
                    "EISHBFXMG".contains(letter)
                        && !digits.is_empty()
                        && digits.bytes().all(|byte| byte.is_ascii_digit())
                }
                None => false,
            };
            assert!(!looks_like_one || rule(word).is_some(), "docs/spec.md:{}: there is no rule {word}", number + 1);
        }
    }
}
