//! The auto traits of every public type: they are part of the interface, and a field may change them unseen.

use std::fmt::Debug;
use std::panic::{RefUnwindSafe, UnwindSafe};

use vestibule::testing::{TestRequest, TestResponse, TestServer, TestStream};
use vestibule::{
    App, Application, Blocks, Body, Cancellation, CommittedHead, End, Environ, Error, Errors, Exchange, HangUp, Head,
    Input, Outcome, Sender, StartResponse, Step, Upgraded, lint,
};

fn is_send<T: Send + 'static>() {}
fn is_sync<T: Sync + ?Sized>() {}
fn is_debug<T: Debug>() {}
fn is_unpin<T: Unpin>() {}

macro_rules! all {
    ($check:ident: $($type:ty),* $(,)?) => { $($check::<$type>();)* };
}

#[test]
fn every_public_type_can_be_sent_shown_and_moved() {
    all!(is_send: App, Blocks, Body, Cancellation, CommittedHead, End, Environ, Error, Errors, Exchange, HangUp, Head,
        Input, Outcome, Sender, StartResponse, Step, Upgraded, TestRequest, TestResponse, TestServer, TestStream,
        lint::Finding, lint::Findings, lint::Level, lint::Rule, lint::Side);
    all!(is_debug: App, Blocks, Body, Cancellation, CommittedHead, End, Environ, Error, Errors, Exchange, HangUp, Head,
        Input, Outcome, Sender, StartResponse, Step, Upgraded, TestRequest, TestResponse, TestServer, TestStream,
        lint::Finding, lint::Findings, lint::Level, lint::Rule, lint::Side);
    all!(is_unpin: App, Blocks, Body, Cancellation, Environ, Exchange, Head, Input, Sender, StartResponse);
}

#[test]
fn what_is_shared_is_sync() {
    all!(is_sync: App, Cancellation, End, Environ, Error, Errors, HangUp, Head, Input, Outcome, Sender, Step,
        TestResponse, TestServer, lint::Finding, lint::Findings, lint::Rule);
    is_sync::<dyn Application>();
}

#[test]
fn an_app_is_unwind_safe() {
    fn is_unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}
    is_unwind_safe::<App>();
    let app = App::new(|_: Environ, start_response: StartResponse| -> vestibule::Result {
        start_response.start(200, ())?;
        Ok("fine".into())
    });
    let caught = std::panic::catch_unwind(|| app.may_block());
    assert_eq!(caught.ok(), Some(true));
}

/// A body is pulled by one thread at a time, so what it is made of need not be `Sync`: and so it is not itself.
#[test]
fn a_body_is_not_sync() {
    trait IsSync<Marker> {
        fn found() {}
    }
    impl<T: ?Sized> IsSync<()> for T {}
    struct AlsoSync;
    impl<T: ?Sized + Sync> IsSync<AlsoSync> for T {}
    // Were `Body` Sync, there would be two candidates, and this would not compile.
    <Body as IsSync<_>>::found();
    let not_sync = std::cell::Cell::new(0);
    let body = Body::iter((0..3).map(move |_| {
        not_sync.set(not_sync.get() + 1);
        not_sync.get().to_string()
    }));
    assert_eq!(body.into_iter().filter_map(vestibule::Result::ok).collect::<Vec<_>>(), ["1", "2", "3"]);
}

#[test]
fn futures_that_hold_them_can_be_spawned() {
    fn spawnable<F: Future + Send + 'static>(_: F) {}
    spawnable(async {
        let mut environ = Environ::from(http::Request::new("body"));
        let _ = environ.input_mut().read_text_async(9).await;
        let _ =
            TestServer::new(|_: Environ, _: StartResponse| -> vestibule::Result { Ok(Body::empty()) }).get("/").await;
        environ.cancellation().await;
        let (mut sender, body) = Body::channel(1);
        let _ = sender.send("block").await;
        drop(body);
    });
}

#[test]
fn the_small_types_stay_small() {
    assert_eq!(size_of::<App>(), 2 * size_of::<usize>(), "a pointer to the application, and its table");
    assert_eq!(size_of::<Environ>(), size_of::<usize>());
    assert_eq!(size_of::<Error>(), 2 * size_of::<usize>());
    assert!(size_of::<Body>() <= 64, "{}", size_of::<Body>());
    // With the first hook in it, which then needs no allocation.
    assert!(size_of::<StartResponse>() <= 72, "{}", size_of::<StartResponse>());
}
