//! Factories: functions that return functions, kept in tables and chosen at run time.
//! `WRAP=shouting,tickets cargo run --example factory`, then `curl -i http://127.0.0.1:8000/ciao` a few times.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use vestibule::{App, HeaderName, HeaderValue, Result, app_fn, header::CACHE_CONTROL, middleware};

type Middleware = Box<dyn Fn(App) -> App>;

/// A factory of applications: each greets with its own word.
fn greeting(word: &'static str) -> App {
    app_fn(move |environ, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(format!("{word} from {}\n", environ.script_name()).into())
    })
}

/// A decorator with arguments: called with them, it returns the decorator.
fn header(name: HeaderName, value: HeaderValue) -> impl Fn(App) -> App {
    middleware::map_head(move |head| drop(head.headers.insert(name.clone(), value.clone())))
}

/// The same by hand, three functions deep: one gets the argument, one the application, one the request.
fn tickets(number: u64) -> impl Fn(App) -> App {
    move |inner| {
        let sold = AtomicU64::new(0); // remembered, by each application that is wrapped, on its own
        app_fn(move |environ, start_response| {
            if sold.fetch_add(1, Ordering::Relaxed) < number {
                return inner.call(environ, start_response);
            }
            start_response.start(503, [("content-type", "text/plain")])?;
            Ok("sold out\n".into())
        })
    }
}

/// An application made of a table of applications; the first segment of the path is the name of one.
fn site(pages: BTreeMap<&'static str, App>) -> App {
    app_fn(move |mut environ, start_response| {
        if let Some(page) = environ.shift_path_info().and_then(|name| pages.get(&*name)) {
            return page.call(environ, start_response);
        }
        start_response.start(404, [("content-type", "text/plain")])?;
        Ok(format!("There are only: {}\n", pages.keys().copied().collect::<Vec<_>>().join(", ")).into())
    })
}

fn main() -> Result<()> {
    let app = site([("hello", "Hello"), ("ciao", "Ciao")].map(|(name, word)| (name, greeting(word))).into());
    let shouting = middleware::map_body(|body| body.map_chunks(|block| block.to_ascii_uppercase().into()));
    let mut known: BTreeMap<&str, Middleware> = BTreeMap::new();
    known.insert("cached", Box::new(header(CACHE_CONTROL, HeaderValue::from_static("max-age=60"))));
    known.insert("shouting", Box::new(shouting));
    known.insert("tickets", Box::new(tickets(3)));
    let wanted = std::env::var("WRAP").unwrap_or("cached".to_owned());
    let find = |name| known.get(name).ok_or_else(|| format!("WRAP: no middleware is called {name:?}"));
    let stack = wanted.split_terminator(',').map(find).collect::<Result<Vec<_>, _>>()?;
    vestibule::run(stack.iter().rfold(app, |app, middleware| middleware(app))) // the first is outermost
}
