//! What changes or copies the store on request: deletes, snapshots, flushes, merges.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chronolith_engine::{Deletion, Error, Tenant};
use serde_json::json;

use crate::app::Scope;
use crate::http::params::Params;
use crate::http::problem::{Cause, Problem};
use crate::http::times::rfc3339_text;
use crate::reload;

use super::answer::success;
use super::names;

/// What the name of the folder for snapshots ends in; it begins like the data directory's.
const SNAPSHOTS: &str = "-snapshots";

/// Deletes samples of the series that `match[]` selects. Done when it is answered, also after a
/// crash; the disk is freed by merges.
pub(crate) async fn delete_series(app: Scope, params: Params) -> Result<StatusCode, Problem> {
    let sets = names::required_matcher_sets(&params)?;
    let (start, end) = names::range(&params)?;
    let store = app.known_tenant()?.metrics()?;
    let chore = app.chores.run(move || {
        for matchers in sets {
            store.delete(&Deletion::new(matchers).between(start, end))?;
        }
        Ok(())
    });
    chore.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Frees what was deleted, and merges blocks as far as they can be. Done when it is answered.
pub(crate) async fn compact(app: Scope) -> Result<StatusCode, Problem> {
    let tenant = app.known_tenant()?;
    let chore = app.chores.run(move || {
        tenant.metrics()?.compact()?;
        tenant.logs()?.compact()?;
        Ok(())
    });
    chore.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Moves everything in memory to blocks, and what was deleted out of them. Done when it is
/// answered.
pub(crate) async fn clean_tombstones(app: Scope) -> Result<StatusCode, Problem> {
    let store = app.known_tenant()?.metrics()?;
    let chore = app.chores.run(move || {
        store.freeze()?;
        store.compact()?;
        Ok(())
    });
    chore.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Moves everything in memory to blocks. Done when it is answered.
pub(crate) async fn flush(app: Scope) -> Result<StatusCode, Problem> {
    let tenant = app.known_tenant()?;
    let chore = app.chores.run(move || {
        tenant.metrics()?.freeze()?;
        tenant.logs()?.freeze()?;
        Ok(())
    });
    chore.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Moves everything in memory to blocks, of every tenant.
pub(crate) async fn flush_all(app: Scope) -> Result<StatusCode, Problem> {
    of_all(&app, |tenant| {
        tenant.metrics()?.freeze()?;
        tenant.logs()?.freeze()
    })
    .await
}

/// Frees what was deleted, and merges blocks as far as they can be, of every tenant.
pub(crate) async fn compact_all(app: Scope) -> Result<StatusCode, Problem> {
    of_all(&app, |tenant| {
        tenant.metrics()?.compact()?;
        tenant.logs()?.compact()
    })
    .await
}

async fn of_all(
    app: &Scope,
    work: impl Fn(&Tenant) -> Result<(), Error> + Send + 'static,
) -> Result<StatusCode, Problem> {
    let engine = app.engine()?;
    let chore = app.chores.run(move || {
        for name in engine.tenants() {
            work(&engine.tenant(&name)?)?;
        }
        Ok(())
    });
    chore.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a copy of the data directory in a folder beside it, of links to blocks where the disk can
/// have them. Inside of it a copy would be a part of what is copied.
pub(crate) async fn snapshot(app: Scope) -> Result<Response, Problem> {
    let engine = app.engine()?;
    let name = snapshot_name();
    let target = snapshots(&app.settings().data)?.join(&name);
    let path = target.display().to_string();
    let chore = app.chores.run(move || Ok(engine.backup(target).map(drop)?));
    chore.await?;
    // Prometheus tells the name alone.
    Ok(success(&json!({ "name": name, "path": path })))
}

/// The folder for snapshots of a data directory.
fn snapshots(data: &Path) -> Result<PathBuf, Problem> {
    let whole = data
        .canonicalize()
        .map_err(|error| Problem::new(Cause::Internal, format!("{}: {error}", data.display())))?;
    let name = whole
        .file_name()
        .map(|name| name.to_string_lossy().into_owned() + SNAPSHOTS);
    let name = name.ok_or_else(|| {
        let why = "the data directory has no place beside it for snapshots";
        Problem::new(Cause::Execution, why)
    })?;
    Ok(whole.with_file_name(name))
}

/// The time, and digits that tell two snapshots of one moment apart: `20260115T113000Z-` and 16
/// hexadecimal digits.
fn snapshot_name() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or(Duration::ZERO);
    let seconds = rfc3339_text(now);
    let seconds = seconds.split('.').next().unwrap_or_default();
    let time: String = seconds
        .chars()
        .filter(|letter| !matches!(letter, '-' | ':'))
        .collect();
    format!("{time}Z-{:016x}", RandomState::new().hash_one(now))
}

/// Reads the configuration again.
pub(crate) async fn reload(app: Scope) -> Result<Response, Problem> {
    let told = app.clone();
    let outcome = app.chores.run(move || Ok(reload::reload(&told))).await?;
    outcome.map_err(|why| {
        let why = format!("failed to reload config: {why}");
        Problem::new(Cause::Internal, why)
    })?;
    Ok(StatusCode::OK.into_response())
}
