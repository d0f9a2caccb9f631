//! The router beside one that tries every pattern, segment by segment.

use std::sync::Arc;

use proptest::prelude::*;
use vestibule::apps::{Params, Routes, routes};
use vestibule::{App, app_fn};

use super::get;
use super::harness::{Pull, run};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    /// Decoded.
    Literal(String),
    Parameter,
    Rest,
}

fn decoded(segment: &str) -> String {
    ["%61|a", "%62|b", "%2F|/", "%2f|/", "%7B|{"].iter().fold(segment.to_owned(), |text, pair| {
        let (from, to) = pair.split_once('|').unwrap();
        text.replace(from, to)
    })
}

fn shape(pattern: &str) -> Vec<Segment> {
    let segments = pattern.split('/').skip(1);
    segments
        .map(|segment| match segment {
            _ if segment.starts_with("{*") => Segment::Rest,
            _ if segment.starts_with('{') && !segment.starts_with("{{") => Segment::Parameter,
            _ => Segment::Literal(decoded(segment).replace("{{", "{").replace("}}", "}")),
        })
        .collect()
}

/// Whether the pattern fits, and the parameters if so.
fn fits(shape: &[Segment], path: &str) -> Option<Vec<String>> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let mut values = Vec::new();
    for (number, expected) in shape.iter().enumerate() {
        match expected {
            Segment::Rest => {
                let rest = segments.get(number..)?.join("/");
                return (!rest.is_empty()).then(|| {
                    values.push(rest);
                    values
                });
            }
            Segment::Literal(text) => (decoded(segments.get(number)?) == *text).then_some(())?,
            Segment::Parameter => {
                let value = *segments.get(number)?;
                (!value.is_empty()).then(|| values.push(value.to_owned()))?;
            }
        }
    }
    (shape.len() == segments.len()).then_some(values)
}

/// Whether the two are refused beside each other: the same shape, or a parameter where the other takes the rest.
fn conflict(one: &[Segment], other: &[Segment]) -> bool {
    let differs = one.iter().zip(other).position(|(one, other)| one != other);
    match differs {
        None => one.len() == other.len(),
        Some(at) => !matches!((&one[at], &other[at]), (Segment::Literal(_), _) | (_, Segment::Literal(_))),
    }
}

fn pattern() -> impl Strategy<Value = String> {
    let literal = prop_oneof![
        4 => Just("a".to_owned()), 2 => Just("b".to_owned()), 2 => Just("ab".to_owned()), 1 => Just("%61".to_owned()),
        1 => Just("a%2Fb".to_owned()), 1 => Just("{{".to_owned()), 1 => Just("..".to_owned()),
    ];
    let segment = prop_oneof![3 => literal.prop_map(Some), 2 => Just(None)];
    let end = prop_oneof![4 => Just(""), 1 => Just("/"), 1 => Just("/{*rest}")];
    (prop::collection::vec(segment, 0..5), end).prop_map(|(segments, end)| {
        let named = |(number, segment): (usize, Option<String>)| match segment {
            Some(literal) => format!("/{literal}"),
            None => format!("/{{p{number}}}"),
        };
        segments.into_iter().enumerate().map(named).collect::<String>() + end
    })
}

/// Tells its number and the raw parameters.
fn numbered(number: usize) -> App {
    app_fn(move |environ, start_response| {
        let params = Params::of(&environ);
        let values: Vec<_> = params.iter().map(|(name, _)| params.raw(name).unwrap().to_owned()).collect();
        start_response.start(200, ())?;
        Ok(format!("{number} {values:?}").into())
    })
}

proptest! {
    #[test]
    fn it_decides_as_one_that_tries_every_pattern(
        patterns in prop::collection::vec(pattern(), 1..12),
        paths in prop::collection::vec("(/(a|b|ab|%61|%61b|a%2fb|a%2Fb|%7B|\\.\\.|c|)){1,6}", 1..12),
    ) {
        let mut kept: Vec<(usize, Vec<Segment>)> = Vec::new();
        let mut table: Arc<Routes> = Arc::new(routes());
        for (number, pattern) in patterns.iter().enumerate() {
            let shape = shape(pattern);
            let more = Routes::clone(&table).get(pattern, numbered(number));
            let refused = more.clone().into_app().is_err();
            prop_assert_eq!(refused, kept.iter().any(|(_, other)| conflict(&shape, other)), "{}", pattern);
            if !refused {
                kept.push((number, shape));
                table = Arc::new(more);
            }
        }
        let app = Routes::clone(&table).into_app().unwrap();
        for path in &paths {
            let fitting = kept.iter().filter_map(|(number, shape)| Some((rank(shape), number, fits(shape, path)?)));
            let seen = run(&app, get(path), Pull::Blocking);
            match fitting.min() {
                None => prop_assert_eq!(seen.status.as_u16(), 404, "{}", path),
                Some((_, number, values)) => prop_assert_eq!(seen.text(), format!("{number} {values:?}"), "{}", path),
            }
        }
    }
}

/// What is literal further to the left goes first, and the rest last.
fn rank(shape: &[Segment]) -> Vec<u8> {
    let rank = |segment: &Segment| match segment {
        Segment::Literal(_) => 0,
        Segment::Parameter => 1,
        Segment::Rest => 2,
    };
    shape.iter().map(rank).collect()
}
