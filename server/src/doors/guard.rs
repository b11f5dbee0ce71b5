//! Who is let in to a door, and what every answer says to browsers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chronolith_engine::DEFAULT_TENANT;

use super::rights::right_of;
use super::tenant;
use crate::app::{App, TenantName};
use crate::http::problem::{Cause, Problem};
use crate::security::{Access, Denied, Right};

/// Which address a door stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Where senders and readers come.
    Public,
    /// Where administrators come, if they have an address of their own.
    Admin,
}

/// Asks who it is and whether they may, and puts headers on whatever is answered.
pub(crate) async fn guard(
    State((app, side)): State<(Arc<App>, Side)>,
    mut request: Request,
    next: Next,
) -> Response {
    let policy = app.security.policy();
    let admitted = app.security.admit(&policy, request.headers()).await;
    let mut response = match admitted {
        Err(Denied::Unknown) => unauthorized(policy.credentials.scheme()),
        Err(Denied::Busy(problem)) => problem.into_text(),
        Ok(access) => match refused(&app, side, access.as_deref(), &request) {
            Some(problem) => problem.into_text(),
            None => {
                if let Some(access) = access {
                    request.extensions_mut().insert(access);
                }
                next.run(request).await
            }
        },
    };
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    for (name, value) in &policy.headers {
        headers.insert(HeaderName::clone(name), value.clone());
    }
    response
}

/// Why a request of somebody who is known is not answered.
fn refused(app: &App, side: Side, access: Option<&Access>, request: &Request) -> Option<Problem> {
    // Where there is no route there is nothing to be kept from anybody.
    let route = request.extensions().get::<MatchedPath>()?;
    let right = right_of(route.as_str())?;
    let is_elsewhere = app.settings().listen_admin.is_some() && side == Side::Public;
    if right == Right::Admin && is_elsewhere {
        let why = "this is answered at the address of --listen-admin";
        return Some(Problem::new(Cause::Missing, why));
    }
    if access.is_some_and(|access| !access.allows(right)) {
        let why = format!("this wants the right {right:?}, which you do not have").to_lowercase();
        return Some(Problem::new(Cause::Forbidden, why));
    }
    None
}

fn unauthorized(scheme: &str) -> Response {
    let mut response = Response::new(Body::from("Unauthorized\n"));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, text);
    if let Ok(challenge) = HeaderValue::from_str(scheme) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Tells the handlers whose request it is.
pub(crate) async fn name_tenant(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    if app.settings().multi_tenant {
        let wanted = match tenant::wanted(request.headers()) {
            Ok(wanted) => wanted.map(|TenantName(name)| name),
            Err(problem) => return problem.into_text(),
        };
        let extensions = request.extensions_mut();
        let name = match extensions.get::<Arc<Access>>() {
            Some(access) => access.tenant(wanted, DEFAULT_TENANT),
            None => Some(wanted.unwrap_or_else(|| DEFAULT_TENANT.into())),
        };
        match name {
            Some(name) => drop(extensions.insert(TenantName(name))),
            None => {
                let why = "X-Scope-OrgID names no tenant of yours: name one of them";
                return Problem::new(Cause::Forbidden, why).into_text();
            }
        }
    }
    next.run(request).await.into_response()
}
