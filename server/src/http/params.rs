//! Parameters of a request: from the body of a form first, then from the URL.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Method, header};

use super::bodies::Bodies;
use super::body;
use super::problem::Problem;
use super::times;
use crate::settings::HttpLimits;

/// The parameters of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    /// Reads what stands behind the question mark of a URL, or in a form.
    pub(crate) fn parse(&mut self, encoded: &[u8]) {
        // Bytes that are no UTF-8 become replacement characters, which no parser takes.
        self.pairs
            .extend(form_urlencoded::parse(encoded).into_owned());
    }

    /// The first value of a parameter; empty where there is none, as everywhere in this API.
    pub(crate) fn value(&self, name: &str) -> &str {
        let found = self.pairs.iter().find(|(candidate, _)| candidate == name);
        found.map_or("", |(_, value)| value)
    }

    /// Every value of a parameter.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let named = self.pairs.iter().filter(|(candidate, _)| candidate == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// A point in time in milliseconds that has to be there.
    pub(crate) fn time(&self, name: &str) -> Result<i64, Problem> {
        let text = self.value(name);
        times::time(text).ok_or_else(|| {
            Problem::parameter(name, format!("cannot parse {text:?} to a valid timestamp"))
        })
    }

    /// A point in time in milliseconds, if it is there.
    pub(crate) fn time_if_given(&self, name: &str) -> Result<Option<i64>, Problem> {
        let text = self.value(name);
        if text.is_empty() {
            return Ok(None);
        }
        times::time(text).map(Some).ok_or_else(|| {
            let why = format!("cannot parse {text:?} to a valid timestamp");
            Problem::parameter(name, format!("invalid time value for '{name}': {why}"))
        })
    }

    /// A length of time in milliseconds that has to be there.
    pub(crate) fn length_ms(&self, name: &str) -> Result<i64, Problem> {
        times::length_ms(self.value(name)).map_err(|why| Problem::parameter(name, why))
    }

    /// A length of time in milliseconds, if it is there.
    pub(crate) fn length_if_given(&self, name: &str) -> Result<Option<i64>, Problem> {
        match self.value(name) {
            "" => Ok(None),
            _ => self.length_ms(name).map(Some),
        }
    }

    /// Whole milliseconds since 1970, if they are there.
    pub(crate) fn millis_if_given(&self, name: &str) -> Result<Option<i64>, Problem> {
        let text = self.value(name);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse()
            .map(Some)
            .map_err(|_| Problem::parameter(name, format!("{text:?} is no number of milliseconds")))
    }

    /// How many elements are wanted; `None` for all.
    pub(crate) fn limit(&self) -> Result<Option<usize>, Problem> {
        self.count("limit")
    }

    /// A number of elements; `None` where none is given or it is 0, which is no limit.
    pub(crate) fn count(&self, name: &str) -> Result<Option<usize>, Problem> {
        let text = self.value(name);
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<i64>() {
            Ok(0) => Ok(None),
            Ok(count) => usize::try_from(count)
                .map(Some)
                .map_err(|_| Problem::parameter(name, format!("{name} must be non-negative"))),
            Err(error) => {
                use std::num::IntErrorKind::{NegOverflow, PosOverflow};
                let why = match error.kind() {
                    PosOverflow | NegOverflow => "value out of range",
                    _ => "invalid syntax",
                };
                // As Go says it, since clients know that.
                let why = format!("strconv.Atoi: parsing {text:?}: {why}");
                Err(Problem::parameter(name, why))
            }
        }
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| {
        kind.trim_start()
            .starts_with("application/x-www-form-urlencoded")
    })
}

impl<S: Sync> FromRequest<S> for Params {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Params, Problem> {
        let (parts, body) = request.into_parts();
        let mut params = Params::default();
        if matches!(parts.method, Method::POST | Method::PUT) && is_form(&parts.headers) {
            // Doors put what holds into each request.
            let limits = parts.extensions.get::<HttpLimits>();
            let limits = limits.copied().unwrap_or_default();
            let bodies = parts.extensions.get::<Bodies>();
            params.parse(&body::read_form(Body::new(body), &limits, bodies).await?);
        }
        params.parse(parts.uri.query().unwrap_or("").as_bytes());
        Ok(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> Params {
        let mut params = Params::default();
        params.parse(text.as_bytes());
        params
    }

    #[test]
    fn the_first_value_counts_and_all_can_be_had() {
        let params = params("query=a%20b&match%5B%5D=x&query=c&match[]=y+z");
        assert_eq!(params.value("query"), "a b");
        assert_eq!(params.values("match[]"), ["x", "y z"]);
        assert_eq!(params.value("nothing"), "");
    }

    #[test]
    fn what_is_wrong_with_a_parameter_is_worded_as_prometheus_does() {
        let params = params("time=abc&limit=-1");
        let text = |problem: Problem| problem.message().to_owned();
        assert_eq!(
            text(params.time_if_given("time").unwrap_err()),
            "invalid parameter \"time\": invalid time value for 'time': cannot parse \"abc\" to a \
             valid timestamp"
        );
        assert_eq!(
            text(params.limit().unwrap_err()),
            "invalid parameter \"limit\": limit must be non-negative"
        );
    }

    #[test]
    fn a_limit_of_nothing_is_no_limit() {
        assert_eq!(params("limit=0").limit().unwrap(), None);
        assert_eq!(params("").limit().unwrap(), None);
        assert_eq!(params("limit=7").limit().unwrap(), Some(7));
    }
}
