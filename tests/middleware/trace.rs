//! `trace`: what a subscriber sees of every request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Subscriber};
use vestibule::{App, Body, Head, app_fn, middleware};

use super::all;
use super::passing::passes_everything;
use crate::harness::play::{Item, KINDS, Play};
use crate::harness::{PULLS, Pull, Running, get, run};

/// A subscriber in memory, for one thread.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    spans: Vec<Span>,
    entered: Vec<usize>,
    /// Each event with the span that it happened in.
    events: Vec<(String, Option<usize>)>,
}

#[derive(Default, Clone)]
struct Span {
    name: &'static str,
    fields: BTreeMap<String, String>,
    handles: usize,
    entered: usize,
}

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

fn index(id: &Id) -> usize {
    usize::try_from(id.into_u64()).unwrap() - 1
}

impl Subscriber for Spans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut state = self.0.lock().unwrap();
        let mut new = Span { name: span.metadata().name(), handles: 1, ..Span::default() };
        span.record(&mut Fields(&mut new.fields));
        state.spans.push(new);
        Id::from_u64(state.spans.len() as u64)
    }
    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut self.0.lock().unwrap().spans[index(span)].fields));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        let mut state = self.0.lock().unwrap();
        let within = state.entered.last().copied();
        state.events.push((fields["message"].clone(), within));
    }
    fn enter(&self, span: &Id) {
        let mut state = self.0.lock().unwrap();
        state.entered.push(index(span));
        state.spans[index(span)].entered += 1;
    }
    fn exit(&self, span: &Id) {
        assert_eq!(self.0.lock().unwrap().entered.pop(), Some(index(span)));
    }
    fn clone_span(&self, id: &Id) -> Id {
        self.0.lock().unwrap().spans[index(id)].handles += 1;
        id.clone()
    }
    fn try_close(&self, id: Id) -> bool {
        let mut state = self.0.lock().unwrap();
        state.spans[index(&id)].handles -= 1;
        state.spans[index(&id)].handles == 0
    }
}

impl Spans {
    /// The one span that there was, which is closed.
    fn only(&self) -> Span {
        let state = self.0.lock().unwrap();
        assert!(state.entered.is_empty(), "every span is left");
        let [span] = &state.spans[..] else { panic!("{} spans", state.spans.len()) };
        assert_eq!(span.handles, 0, "it is closed");
        span.clone()
    }

    fn seen(f: impl FnOnce()) -> Self {
        let spans = Self::default();
        with_default(spans.clone(), f);
        spans
    }
}

#[test]
fn trace_lets_everything_pass() {
    passes_everything(middleware::trace);
    Spans::seen(|| passes_everything(middleware::trace));
}

#[test]
fn a_span_tells_of_the_request_and_how_it_ended() {
    for (kind, pull) in all() {
        let spans = Spans::seen(|| {
            let app = Play::new(|| Head::new(201), &["one", "two"]).app(kind).wrap(middleware::trace);
            let place = middleware::map_environ(|environ| environ.set_remote_addr(Some(([192, 0, 2, 1], 7).into())));
            let request = http::Request::post("/a%2Fb?secret").header("user-agent", "curl/8").body(()).unwrap();
            run(&app.wrap(place), request, pull);
        });
        let span = spans.only();
        let expected = [
            ("otel.kind", "server"),
            ("http.request.method", "POST"),
            ("url.path", "/a%2Fb"),
            ("url.scheme", "http"),
            ("network.protocol.version", "1.1"),
            ("server.address", "localhost"),
            ("client.address", "192.0.2.1"),
            ("user_agent.original", "curl/8"),
            ("http.response.status_code", "201"),
            ("http.response.body.size", "6"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!((span.name, span.fields), ("http.server.request", expected), "{kind:?} {pull:?}");
    }
}

#[test]
fn what_went_wrong_is_a_field() {
    let error_type = |running: &dyn Fn()| Spans::seen(running).only().fields.get("error.type").cloned();
    for (kind, pull) in all().filter(|(kind, _)| kind.is_stepwise()) {
        let traced = |items: Vec<Item>, status: u16| {
            Play::items(move || Head::new(status), items).app(kind).wrap(middleware::trace)
        };
        let run = |app: App| drop(run(&app, get(), pull));
        assert_eq!(error_type(&|| run(traced(vec![Item::Block("a")], 404))), None);
        assert_eq!(error_type(&|| run(traced(vec![Item::Block("a")], 503))).as_deref(), Some("503"));
        assert_eq!(error_type(&|| run(traced(vec![Item::Fail("x")], 200))).as_deref(), Some("500"));
        assert_eq!(error_type(&|| run(traced(vec![Item::Panic("x")], 200))).as_deref(), Some("500"));
        let late = || run(traced(vec![Item::Block("a"), Item::Fail("x")], 200));
        assert_eq!(error_type(&late).as_deref(), Some("aborted"), "{kind:?} {pull:?}");
        let leaves = || {
            let mut running = Running::new(&traced(vec![Item::Block("a"), Item::Block("b")], 200), get(), pull);
            running.until_head();
            running.finish(false);
        };
        assert_eq!(error_type(&leaves).as_deref(), Some("disconnected"), "{kind:?} {pull:?}");
    }
}

#[test]
fn the_call_every_pull_and_the_end_of_the_body_are_within_the_span() {
    for pull in PULLS {
        let spans = Spans::seen(|| {
            let app = app_fn(|_, start_response| {
                tracing::info!("called");
                start_response.start(200, ())?;
                let blocks = (0..2).map(|number| {
                    tracing::info!("pulled");
                    number.to_string()
                });
                Ok(Body::iter(blocks).on_close(|| tracing::info!("closed")))
            });
            run(&app.wrap(middleware::trace), get(), pull);
            tracing::info!("elsewhere");
        });
        spans.only();
        let expected =
            [("called", Some(0)), ("pulled", Some(0)), ("pulled", Some(0)), ("closed", Some(0)), ("elsewhere", None)];
        assert_eq!(spans.0.lock().unwrap().events, expected.map(|(text, span)| (text.to_owned(), span)), "{pull:?}");
    }
}

#[test]
fn where_nobody_listens_there_is_no_span() {
    for kind in KINDS {
        let app = Play::new(|| Head::new(200), &["one"]).app(kind).wrap(middleware::trace);
        assert_eq!(run(&app, get(), Pull::Blocking).text(), "one", "{kind:?}");
    }
}
