//! What every request of a door passes: it is counted, let in when its sender may and the server is
//! ready, answered compressed, and its answer may be read by pages of other sites.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::compression::CompressionLayer;

use super::guard::{Side, guard, name_tenant};
use crate::app::{App, READY_RETRY_SECONDS};
use crate::http::problem::{Cause, Limited, Problem};
use crate::security::Access;

/// What a request is counted as that no route takes.
const NO_ROUTE: &str = "other";

/// Puts around a door's routes what all doors have in common.
pub(crate) fn wrap(routes: Router<Arc<App>>, app: &Arc<App>, side: Side) -> Router {
    let guarded = (Arc::clone(app), side);
    routes
        .layer(middleware::from_fn(share))
        .layer(CompressionLayer::new().gzip(true).zstd(true))
        .layer(middleware::from_fn_with_state(guarded, guard))
        .layer(middleware::from_fn_with_state(Arc::clone(app), count))
        .with_state(Arc::clone(app))
}

/// Puts around the calls of gRPC what counts them. How they end, trailers tell.
pub(crate) fn wrap_calls(routes: Router<Arc<App>>, app: &Arc<App>) -> Router {
    let guarded = (Arc::clone(app), Side::Public);
    routes
        .layer(middleware::from_fn_with_state(Arc::clone(app), name_tenant))
        .layer(middleware::from_fn_with_state(guarded, guard))
        .layer(middleware::from_fn_with_state(Arc::clone(app), count))
        .with_state(Arc::clone(app))
}

/// Gives a request the limits that hold for it; counts it, the limit that it met if it met one, and
/// how long it took until its answer began.
async fn count(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or(NO_ROUTE.to_owned(), |path| path.as_str().to_owned());
    request.extensions_mut().insert(app.settings().http);
    request.extensions_mut().insert(app.bodies.clone());
    let response = next.run(request).await;
    if let Some(Limited(limit)) = response.extensions().get() {
        app.meters.note_limit(*limit);
    }
    app.meters
        .note_request(&route, response.status().as_u16(), began.elapsed());
    response
}

/// Lets pages of any site read answers, as Prometheus does.
async fn share(request: Request, next: Next) -> Response {
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Accept, Authorization, Content-Type, Origin",
        ),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    response
}

/// Puts around routes that need the data what lets requests in: the server is ready, and it is
/// known whose request it is.
pub(crate) fn let_in(routes: Router<Arc<App>>, app: &Arc<App>) -> Router<Arc<App>> {
    let state = || Arc::clone(app);
    routes
        // Each body is read up to a limit of its own.
        .layer(DefaultBodyLimit::disable())
        .route_layer(middleware::from_fn_with_state(state(), name_tenant))
        .route_layer(middleware::from_fn_with_state(state(), gate))
}

/// Turns requests away until everything is recovered and once the server stops.
async fn gate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match app.is_ready() {
        true => next.run(request).await,
        false => not_ready(&app),
    }
}

/// What a client is told that comes too early or too late.
pub(crate) fn not_ready(app: &App) -> Response {
    let text = match app.is_stopping() {
        true => "Service Unavailable: the server is stopping\n".to_owned(),
        false => format!("Service Unavailable: {}\n", app.recovering()),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let stopping = if app.is_stopping() { "true" } else { "false" };
    let headers = response.headers_mut();
    headers.insert(
        HeaderName::from_static("x-prometheus-stopping"),
        HeaderValue::from_static(stopping),
    );
    headers.insert(header::RETRY_AFTER, HeaderValue::from(READY_RETRY_SECONDS));
    response
}

/// Refuses somebody who is bound to tenants what is about all of them.
pub(crate) async fn unbound(request: Request, next: Next) -> Response {
    let access = request.extensions().get::<Arc<Access>>();
    if access.is_some_and(|access| access.is_bound()) {
        let why = "this is about all tenants, and you are bound to some of them";
        return Problem::new(Cause::Forbidden, why).into_response();
    }
    next.run(request).await
}

/// Refuses what a page of another site makes a browser send: it may read, and change nothing.
pub(crate) async fn same_site(request: Request, next: Next) -> Response {
    if is_cross_site(request.headers()) {
        let why = "administrative requests are not taken from pages of other sites";
        return Problem::new(Cause::Forbidden, why).into_response();
    }
    next.run(request).await
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else {
        return false;
    };
    let site = origin.split_once("://").map(|(_, site)| site);
    site.is_none() || site != text(header::HOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_cross_site_if_its_origin_is_not_its_host() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            });
            pairs.collect::<HeaderMap>()
        };
        assert!(!is_cross_site(&headers(&[("host", "a:9090")])));
        assert!(!is_cross_site(&headers(&[
            ("host", "a:9090"),
            ("origin", "http://a:9090")
        ])));
        assert!(is_cross_site(&headers(&[
            ("host", "a:9090"),
            ("origin", "http://b")
        ])));
        assert!(is_cross_site(&headers(&[
            ("host", "a:9090"),
            ("origin", "null")
        ])));
    }
}
