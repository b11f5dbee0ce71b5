//! A data directory opened in this process, behind the same doors as a server's, with no socket
//! between.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use chronolith_engine::{Engine, Error, ErrorKind, Options};
use http_body_util::Full;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::service::TowerToHyperService;

use crate::app::App;
use crate::security::Security;
use crate::settings::{LogLimits, Settings};
use crate::{loki, prometheus};

use super::Door;
use crate::client::Failure;

/// Lines that one query may answer here: nobody else has to be protected, and a page of this size
/// fits in memory.
const ENTRIES_MAX: usize = 100_000;

/// Series that one query of logs may answer here.
const LOG_SERIES_MAX: usize = 100_000;

/// What a directory is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// To read it, also beside the server that writes it.
    Read,
    /// To write it, as its only user.
    Write,
}

/// An open data directory.
pub(super) struct Directory {
    app: Arc<App>,
    prometheus: TowerToHyperService<Router>,
    loki: TowerToHyperService<Router>,
}

impl Directory {
    pub(super) fn open(path: &Path, access: Access) -> Result<Directory, Failure> {
        let engine = open_engine(path, access)?;
        let settings = Settings {
            data: path.to_path_buf(),
            logs: LogLimits {
                entries_max: ENTRIES_MAX,
                series_max: LOG_SERIES_MAX,
                ..LogLimits::default()
            },
            ..Settings::default()
        };
        let same = settings.clone();
        // Nobody but who runs the command asks here.
        let security = Security::open(&settings).map_err(Failure::broken)?;
        let app = Arc::new(App::new(
            settings,
            Box::new(move || Ok(same.clone())),
            security,
        ));
        app.open(engine);
        Ok(Directory {
            prometheus: TowerToHyperService::new(prometheus::router(&app)),
            loki: TowerToHyperService::new(loki::router(&app)),
            app,
        })
    }

    pub(super) async fn ask(
        &self,
        door: Door,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Body>, Failure> {
        let router = match door {
            Door::Prometheus => &self.prometheus,
            Door::Loki => &self.loki,
        };
        let answered = router.call(request).await;
        answered.map_err(|never| match never {})
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The engine closes when the last answer has let go of it.
        drop(self.app.shut());
    }
}

/// Opens the engine of a data directory, or says why it does not open and what to do.
pub(crate) fn open_engine(path: &Path, access: Access) -> Result<Engine, Failure> {
    let opened = match access {
        Access::Read => {
            exists(path)?;
            Engine::open_read_only(path, Options::default())
        }
        Access::Write => Engine::open(path, Options::default()),
    };
    opened.map_err(|error| explained(path, &error))
}

/// Fails where there is no data directory.
pub(crate) fn exists(path: &Path) -> Result<(), Failure> {
    match path.is_dir() {
        true => Ok(()),
        false => Err(Failure::misused(format!(
            "there is no data directory {}: name the one that `chronolith serve --data` has",
            path.display()
        ))),
    }
}

/// Why a directory cannot be used, with what would help.
pub(crate) fn explained(path: &Path, error: &Error) -> Failure {
    let advice = match error.kind() {
        ErrorKind::Locked => {
            "; a server or another command has it open: ask the server with --url, or stop it first"
        }
        ErrorKind::Corrupt => "; see what is wrong with `chronolith verify`",
        _ => "",
    };
    Failure::broken(format!(
        "cannot open the data directory {}: {error}{advice}",
        path.display()
    ))
}
