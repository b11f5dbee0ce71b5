//! Answers that are sent while they are written, by a job on a lane.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::flow::{Flow, Gone};
use super::json::Json;
use super::lane::{self, Lane};
use super::problem::{Cause, Problem};

/// Parts that may wait for a slow reader; the writer then waits too.
const PARTS_MAX: usize = 4;

type Job = JoinHandle<Result<Vec<u8>, Problem>>;

impl From<Gone> for Problem {
    fn from(_: Gone) -> Self {
        Problem::new(Cause::Canceled, "the client closed the connection")
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Answers with what `write` writes. What goes wrong before the first part is sent is an error
/// answer; later it breaks the connection, so that no part is taken for the whole.
pub(crate) async fn answer(
    lane: &Lane,
    write: impl FnOnce(&mut Json) -> Result<(), Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let work = |sink| {
        let mut json = Json::streamed(sink);
        write(&mut json)?;
        Ok(json.into_bytes())
    };
    sent(lane, JSON, work).await
}

/// Answers so with bytes of a type of the caller's.
pub(crate) async fn bytes(
    lane: &Lane,
    content_type: &'static str,
    write: impl FnOnce(&mut Flow) -> Result<(), Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let work = |sink| {
        let mut flow = Flow::streamed(sink);
        write(&mut flow)?;
        Ok(flow.out)
    };
    sent(lane, HeaderValue::from_static(content_type), work).await
}

async fn sent(
    lane: &Lane,
    content_type: HeaderValue,
    work: impl FnOnce(mpsc::Sender<Bytes>) -> Result<Vec<u8>, Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let slot = lane.enter().await?;
    let (sink, mut parts) = mpsc::channel(PARTS_MAX);
    let job = lane::spawn(slot, move || work(sink));
    let body = match parts.recv().await {
        None => Body::from(lane::joined(job).await?),
        Some(first) => Body::new(Parts {
            first: Some(first),
            parts,
            job: Some(job),
        }),
    };
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}

/// A whole answer in JSON.
pub(crate) fn response(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// A body of which the rest is still being written.
struct Parts {
    first: Option<Bytes>,
    parts: mpsc::Receiver<Bytes>,
    job: Option<Job>,
}

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if let Some(part) = ready!(self.parts.poll_recv(context)) {
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        let Some(job) = &mut self.job else {
            return Poll::Ready(None);
        };
        let ended = ready!(Pin::new(job).poll(context));
        self.job = None;
        Poll::Ready(Some(match ended {
            Ok(Ok(rest)) => Ok(Frame::data(rest.into())),
            Ok(Err(problem)) => Err(std::io::Error::other(problem.message().to_owned())),
            Err(error) => Err(std::io::Error::other(error)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::meters::Limit;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap()
    }

    fn many(json: &mut Json) -> Result<(), Problem> {
        for _ in 0..200_000 {
            json.raw("0123456789");
            json.pass()?;
        }
        Ok(())
    }

    #[test]
    fn a_large_answer_comes_in_parts_and_whole() {
        runtime().block_on(async {
            let lane = Lane::new("queries", Limit::WaitingQueries, 1, 1);
            let response = answer(&lane, many).await.unwrap();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body.len(), 2_000_000);
            assert!(body.chunks(10).all(|chunk| chunk == b"0123456789"));
        });
    }

    #[test]
    fn what_fails_first_is_an_error_answer_and_what_fails_later_breaks_off() {
        runtime().block_on(async {
            let lane = Lane::new("queries", Limit::WaitingQueries, 1, 1);
            let failed = answer(&lane, |_| Err(Problem::bad_data("no"))).await;
            assert_eq!(failed.unwrap_err().message(), "no");
            let late = |json: &mut Json| many(json).and(Err(Problem::bad_data("late")));
            let response = answer(&lane, late).await.unwrap();
            assert!(response.into_body().collect().await.is_err());
        });
    }

    #[test]
    fn a_writer_whose_reader_went_away_stops() {
        runtime().block_on(async {
            let lane = Lane::new("queries", Limit::WaitingQueries, 1, 1);
            let (told, heard) = std::sync::mpsc::channel();
            let endless = move |json: &mut Json| {
                loop {
                    json.raw("0123456789");
                    if json.pass().is_err() {
                        let _ = told.send(());
                        return Ok(());
                    }
                }
            };
            drop(answer(&lane, endless).await.unwrap());
            tokio::task::spawn_blocking(move || heard.recv())
                .await
                .unwrap()
                .unwrap();
        });
    }
}
