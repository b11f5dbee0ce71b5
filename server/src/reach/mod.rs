//! Where commands get their answers: from a server over HTTP, or from a data directory that is
//! opened in this process.
//!
//! Both take the requests of the doors, so a command is written once and what it shows is the same.
//! Calls block. What a command does with an answer is not known here.

mod answer;
mod credentials;
mod directory;
mod results;
mod tail;

use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Builder;
use hyper::{Method, Request};
use tokio::runtime::Runtime;

use crate::client::{self, Client};
use directory::Directory;

pub(crate) use crate::client::{Address, Cause, Failure, Identity};
pub(crate) use answer::Answer;
pub(crate) use credentials::Credentials;
pub(crate) use directory::{Access, exists, explained, has_tenant, open_engine};
pub(crate) use results::{Element, Item, Notes, read_items, read_whole};
pub(crate) use tail::Tail;

/// Which API is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Prometheus,
    Loki,
}

/// Parameters longer than this go into the body of a POST: servers limit what a URL may have.
const QUERY_BYTES_MAX: usize = 2048;

/// What to do where there is no server.
const ELSEWHERE: &str = "start one with `chronolith serve`, name another with --url, or read a \
                         data directory with --data DIR";

const FORM: &str = "application/x-www-form-urlencoded";

/// A server, or a data directory.
pub(crate) struct Reach {
    runtime: Rc<Runtime>,
    place: Place,
    credentials: Credentials,
}

enum Place {
    Server(Box<Client>),
    Directory(Directory),
}

impl Reach {
    /// A server. Nothing is sent yet.
    pub(crate) fn server(address: Address, credentials: Credentials) -> Result<Reach, Failure> {
        Ok(Reach {
            runtime: runtime()?,
            place: Place::Server(Box::new(Client::new(address))),
            credentials,
        })
    }

    /// A data directory, opened now.
    pub(crate) fn directory(
        path: &Path,
        access: Access,
        credentials: Credentials,
    ) -> Result<Reach, Failure> {
        Ok(Reach {
            runtime: runtime()?,
            place: Place::Directory(Directory::open(path, access, credentials.tenant_name())?),
            credentials,
        })
    }

    /// Asks for something with parameters, and gives what is answered if it went well.
    pub(crate) fn ask(
        &self,
        door: Door,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(parameters);
        let form = form.finish();
        let request = Request::builder();
        match form.len() > QUERY_BYTES_MAX {
            true => {
                let request = request.method(Method::POST).header(CONTENT_TYPE, FORM);
                self.send(door, path, request, form.into())
            }
            false if form.is_empty() => self.send(door, path, request, Bytes::new()),
            false => self.send(door, &format!("{path}?{form}"), request, Bytes::new()),
        }
    }

    /// Posts a body of this type.
    pub(crate) fn post(
        &self,
        door: Door,
        target: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, Failure> {
        let begun = Request::builder().method(Method::POST);
        let request = headers.iter().fold(begun, |request, (name, value)| {
            request.header(*name, *value)
        });
        self.send(door, target, request, body)
    }

    /// Follows the lines of a query as they come. Only servers have new ones.
    pub(crate) fn tail(&self, parameters: &[(&str, &str)]) -> Result<Tail, Failure> {
        match &self.place {
            Place::Server(client) => Tail::open(
                Rc::clone(&self.runtime),
                client.address(),
                &self.credentials,
                parameters,
            ),
            Place::Directory(_) => Err(Failure::misused(
                "nothing new comes into a directory that no server writes: --tail needs a server",
            )),
        }
    }

    /// What is asked, for sentences.
    pub(crate) fn name(&self) -> String {
        match &self.place {
            Place::Server(client) => client.address().to_string(),
            Place::Directory(_) => "the data directory".to_owned(),
        }
    }

    fn send(
        &self,
        door: Door,
        target: &str,
        request: Builder,
        body: Bytes,
    ) -> Result<Answer, Failure> {
        let request = self.credentials.sign(request);
        let body = Full::new(body);
        let malformed = |error| Failure::misused(format!("cannot ask for {target}: {error}"));
        let response = match &self.place {
            Place::Server(client) => {
                let (name, host) = client::host(client.address());
                let request = request
                    .uri(client.address().path(target))
                    .header(name, host);
                let request = request.body(body).map_err(malformed)?;
                let asked = self.runtime.block_on(client.ask(request));
                asked.map_err(|failure| failure.or_else(ELSEWHERE))?
            }
            Place::Directory(directory) => {
                let request = request.uri(target).body(body).map_err(malformed)?;
                self.runtime.block_on(directory.ask(door, request))?
            }
        };
        Answer::new(Rc::clone(&self.runtime), response).accepted(&self.name())
    }
}

fn runtime() -> Result<Rc<Runtime>, Failure> {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    built
        .map(Rc::new)
        .map_err(|error| Failure::broken(format!("cannot start: {error}")))
}
