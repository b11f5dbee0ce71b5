//! What goes wrong at this door, as its clients read it: plain text and Loki's codes.

use axum::response::{IntoResponse, Response};
use chronolith_engine::Error;

use crate::http::problem::Problem;
use crate::meters::Limit;

/// A problem that is answered as plain text.
pub(super) struct Fault(pub(super) Problem);

/// What handlers of this door give.
pub(super) type Answer = Result<Response, Fault>;

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Fault(problem)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault(error.into())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        self.0.into_text_of_logs()
    }
}

/// A fault of the request, which asks for more than this limit allows.
pub(super) fn beyond(limit: Limit, why: impl Into<String>) -> Fault {
    Fault(Problem::bad_data(why).limited(limit))
}

/// A fault of the request.
pub(super) fn bad(why: impl Into<String>) -> Fault {
    Fault(Problem::bad_data(why))
}
