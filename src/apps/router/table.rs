//! The table of routes: what is built once, and the way of a request through it.

use std::collections::HashMap;
use std::sync::Arc;

use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};

use super::matched_route::MatchedRoute;
use super::params::Params;
use super::pattern::{Parameter, Pattern, bytes_of, canonical};
use crate::application::App;
use crate::apps::answer;
use crate::environ::Environ;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::start_response::StartResponse;

/// What a route is added as.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// With the prefixes that it is nested at.
    pub(super) pattern: String,
    /// How many of its segments are these prefixes.
    pub(super) mounted: usize,
    pub(super) kind: Kind,
    pub(super) app: App,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Method(Method),
    Any,
    /// An application that has all below its pattern, which is a prefix then.
    Below,
}

impl Entry {
    /// As messages name it.
    fn title(&self) -> String {
        match &self.kind {
            Kind::Method(method) => format!("`{method} {}`", self.pattern),
            Kind::Any => format!("`any {}`", self.pattern),
            Kind::Below => format!("`nest {}`", self.pattern),
        }
    }
}

/// The routes by their paths, without the applications: these are beside it, in the order of the entries.
#[derive(Debug)]
pub(super) struct Table {
    tree: matchit::Router<usize>,
    resources: Vec<Resource>,
    /// That of the empty path, which is no path of the tree.
    empty: Option<usize>,
    /// The methods of all, for `OPTIONS *`.
    allow: HeaderValue,
}

/// What is at one pattern: the route of each method.
#[derive(Debug)]
struct Resource {
    by_method: Vec<(Method, Arc<Route>)>,
    any: Option<Arc<Route>>,
    allow: HeaderValue,
}

#[derive(Debug)]
pub(super) struct Route {
    pub(super) parameters: Vec<Parameter>,
    pattern: String,
    mounted: usize,
    /// Another router may go on where this one ends.
    goes_on: bool,
    /// The number of its application.
    app: usize,
}

impl Table {
    /// Builds the table.
    ///
    /// # Errors
    ///
    /// For a pattern that is none, and for two routes that conflict, both of which it names.
    pub(super) fn build(entries: &[Entry]) -> Result<Self> {
        let mut tree = matchit::Router::new();
        let mut slots: Vec<Slot<'_>> = Vec::new();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut empty = None;
        for (app, entry) in entries.iter().enumerate() {
            for pattern in patterns(entry)? {
                let conflict = |other: &str| {
                    let text = format!("routes: {} conflicts with {other}: the same paths fit both", entry.title());
                    Err(Error::from(text))
                };
                let number = match numbers.get(&pattern.canonical) {
                    Some(number) => *number,
                    None if pattern.canonical.is_empty() => *empty.insert(slots.len()),
                    None => match tree.insert(pattern.canonical.clone(), slots.len()) {
                        Ok(()) => slots.len(),
                        Err(matchit::InsertError::Conflict { with }) => {
                            let other = numbers.get(&with).and_then(|number| slots[*number].entries.first());
                            return conflict(&other.map_or_else(|| format!("`{with}`"), |other| other.title()));
                        }
                        Err(error) => return Err(format!("routes: {}: {error}", entry.title()).into()),
                    },
                };
                if number == slots.len() {
                    numbers.insert(pattern.canonical, number);
                    slots.push(Slot::default());
                }
                let slot = &mut slots[number];
                if let Some(other) = slot.entries.iter().find(|other| other.same_methods(entry)) {
                    return conflict(&other.title());
                }
                slot.entries.push(entry);
                let route = Route {
                    parameters: pattern.parameters,
                    pattern: entry.pattern.clone(),
                    mounted: entry.mounted,
                    goes_on: matches!(entry.kind, Kind::Below),
                    app,
                };
                match &entry.kind {
                    Kind::Method(method) => slot.by_method.push((method.clone(), Arc::new(route))),
                    Kind::Any | Kind::Below => slot.any = Some(Arc::new(route)),
                }
            }
        }
        let allow = allow(slots.iter().flat_map(|slot| &slot.by_method).map(|(method, _)| method))?;
        let resources = slots.into_iter().map(Slot::into_resource).collect::<Result<_>>()?;
        Ok(Self { tree, resources, empty, allow })
    }

    /// Answers a request by the application of its route.
    pub(super) fn call(&self, apps: &[App], mut environ: Environ, start_response: StartResponse) -> Result {
        let Some(resource) = self.find(environ.raw_path_info()) else {
            return match (environ.method(), environ.raw_path_info()) {
                // RFC 9110, section 9.3.7: of the server as a whole.
                (&Method::OPTIONS, "*") => allowing(StatusCode::OK, &self.allow, start_response),
                _ => answer(StatusCode::NOT_FOUND.into(), start_response),
            };
        };
        let Some((route, app)) = resource.route(environ.method()).and_then(|route| Some((route, apps.get(route.app)?)))
        else {
            let status = match *environ.method() {
                Method::OPTIONS => StatusCode::OK,
                _ => StatusCode::METHOD_NOT_ALLOWED,
            };
            return allowing(status, &resource.allow, start_response);
        };
        // Before the parameters: where there are no extensions, nobody watches.
        if !environ.extensions().is_empty() {
            MatchedRoute::note(&mut environ, &route.pattern, route.goes_on);
        }
        if !route.parameters.is_empty() {
            Params::leave(&mut environ, route);
        }
        if route.mounted > 0 {
            environ.mount(bytes_of(environ.raw_path_info(), route.mounted));
        }
        app.call(environ, start_response)
    }

    fn find(&self, path: &str) -> Option<&Resource> {
        let number = match path {
            "" => self.empty?,
            _ => *self.tree.at(&canonical(path)).ok()?.value,
        };
        self.resources.get(number)
    }
}

impl Resource {
    /// The route of a method. A HEAD is a GET whose body is not sent, which is the gateway's to see to.
    fn route(&self, method: &Method) -> Option<&Arc<Route>> {
        let of = |wanted: &Method| self.by_method.iter().find(|(method, _)| method == wanted).map(|(_, route)| route);
        let route = match of(method) {
            None if *method == Method::HEAD => of(&Method::GET),
            route => route,
        };
        route.or(self.any.as_ref())
    }
}

/// A resource that is being built.
#[derive(Default)]
struct Slot<'a> {
    entries: Vec<&'a Entry>,
    by_method: Vec<(Method, Arc<Route>)>,
    any: Option<Arc<Route>>,
}

impl Slot<'_> {
    fn into_resource(self) -> Result<Resource> {
        let allow = allow(self.by_method.iter().map(|(method, _)| method))?;
        Ok(Resource { by_method: self.by_method, any: self.any, allow })
    }
}

impl Entry {
    fn same_methods(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Method(method), Kind::Method(other)) => method == other,
            (Kind::Method(_), _) | (_, Kind::Method(_)) => false,
            _ => true,
        }
    }
}

/// The patterns of the tree that an entry stands for.
fn patterns(entry: &Entry) -> Result<Vec<Pattern>> {
    let read =
        |text: &str| Pattern::parse(text).map_err(|fault| Error::from(format!("routes: {} {fault}", entry.title())));
    let prefix = read(&entry.pattern)?;
    if !matches!(entry.kind, Kind::Below) {
        return Ok(vec![prefix]);
    }
    if prefix.has_rest() {
        return Err(
            format!("routes: {} has a `{{*..}}`, which leaves nothing for what is nested", entry.title()).into()
        );
    }
    let slash = read(&format!("{}/", entry.pattern))?;
    // The tree wants a name for what follows, which is no parameter of the route.
    let mut below = read(&format!("{}/", entry.pattern))?;
    below.canonical.push_str("{*rest}");
    Ok(vec![prefix, slash, below])
}

/// The value of Allow: RFC 9110, section 10.2.1.
fn allow<'a>(methods: impl Iterator<Item = &'a Method>) -> Result<HeaderValue> {
    let mut names: Vec<&str> = Vec::new();
    let mut add = |name| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    for method in methods {
        add(method.as_str());
        if *method == Method::GET {
            add("HEAD");
        }
    }
    add("OPTIONS");
    Ok(HeaderValue::try_from(names.join(", "))?)
}

fn allowing(status: StatusCode, allow: &HeaderValue, start_response: StartResponse) -> Result {
    let head = Head::new(status).header(ALLOW, allow.clone());
    if status == StatusCode::OK {
        start_response.send(head)?;
        return Ok(().into());
    }
    answer(head, start_response)
}
