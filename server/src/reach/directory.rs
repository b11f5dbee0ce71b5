//! A data directory opened in this process, behind the same doors as a server's, with no socket
//! between.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use chronolith_engine::{DEFAULT_TENANT, Engine, Error, ErrorKind, Options};
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
    /// Opens a directory for this tenant, or for the one whose name nobody has to say.
    pub(super) fn open(
        path: &Path,
        access: Access,
        tenant: Option<&str>,
    ) -> Result<Directory, Failure> {
        let engine = open_engine(path, access)?;
        if let (Access::Read, Some(tenant)) = (access, tenant) {
            has_tenant(&engine, path, tenant)?;
        }
        let settings = Settings {
            data: path.to_path_buf(),
            // Only where it is on does a request say whose data is meant.
            multi_tenant: tenant.is_some(),
            tenants_max: usize::MAX,
            logs: LogLimits {
                entries_max: ENTRIES_MAX,
                series_max: LOG_SERIES_MAX,
                range_max: Duration::ZERO,
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

/// What a data directory has from its first moment on.
const MARKS: [&str; 3] = ["LOCK", "tenants", "wal"];

/// Fails where there is no data directory.
pub(crate) fn exists(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let what = match path.is_dir() {
        true if MARKS.iter().any(|mark| path.join(mark).exists()) => return Ok(()),
        true => format!("{shown} is no data directory"),
        false => format!("there is no data directory {shown}"),
    };
    Err(Failure::misused(format!(
        "{what}: name the one that `chronolith serve --data` has, or a backup of it"
    )))
}

/// Fails where a directory has nothing of a tenant.
pub(crate) fn has_tenant(engine: &Engine, path: &Path, tenant: &str) -> Result<(), Failure> {
    if tenant == DEFAULT_TENANT || engine.has_tenant(tenant) {
        return Ok(());
    }
    let known = engine.tenants();
    let known = match known.is_empty() {
        true => DEFAULT_TENANT.to_owned(),
        false => known.join(", "),
    };
    Err(Failure::misused(format!(
        "{} has nothing of a tenant {tenant:?}: it has {known}",
        path.display()
    )))
}

/// Why a directory cannot be used, with what would help.
pub(crate) fn explained(path: &Path, error: &Error) -> Failure {
    let advice = match error.kind() {
        ErrorKind::Locked => {
            "; a server or another command has it open: ask the server with --url, or stop it first"
        }
        ErrorKind::Corrupt => {
            "; restore a backup, or take out what is damaged with `chronolith repair`"
        }
        _ => "",
    };
    Failure::broken(format!(
        "cannot open the data directory {}: {error}{advice}",
        path.display()
    ))
}
