//! [`Scope`]: the app as one tenant sees it.
//!
//! Handlers take it in place of the app and reach stores through it alone, so that none can read or
//! write what is another tenant's. Who the tenant is was decided before, by a layer of the door.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use chronolith_engine::logs::Lines;
use chronolith_engine::metrics::Samples;
use chronolith_engine::{DEFAULT_TENANT, Engine, Store, Tenant};
use chronolith_query::promql::CancelFlag;

use super::{App, Place, Question, Sort, limit};
use crate::http::problem::{Cause, Problem};
use crate::ingest::Intake;
use crate::journal::Level;
use crate::meters::{Limit, add};
use crate::security::Access;
use crate::settings::Settings;
use crate::wire::otlp::deltas::Deltas;

/// Whose request it is. Put into a request by its door; without it the default tenant's.
#[derive(Clone)]
pub(crate) struct TenantName(pub(crate) Arc<str>);

/// The app as one tenant sees it. A handle: clones are the same.
#[derive(Clone)]
pub(crate) struct Scope {
    app: Arc<App>,
    tenant: Arc<str>,
    settings: Arc<Settings>,
    /// What the client calls itself.
    client: Option<HeaderValue>,
    /// Whose password or token it has, where somebody is asked for one.
    access: Option<Arc<Access>>,
}

impl Deref for Scope {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl FromRequestParts<Arc<App>> for Scope {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let tenant = match parts.extensions.get::<TenantName>() {
            Some(TenantName(tenant)) => Arc::clone(tenant),
            None => DEFAULT_TENANT.into(),
        };
        Ok(Scope {
            client: parts.headers.get(header::USER_AGENT).cloned(),
            access: parts.extensions.get::<Arc<Access>>().cloned(),
            ..Scope::new(Arc::clone(app), tenant)
        })
    }
}

impl Scope {
    pub(crate) fn new(app: Arc<App>, tenant: Arc<str>) -> Self {
        let settings = app.settings_of(&tenant);
        Scope {
            app,
            tenant,
            settings,
            client: None,
            access: None,
        }
    }

    /// Enters a query into the list of those that are being answered.
    pub(crate) fn enter(
        &self,
        sort: Sort,
        text: &str,
        timeout: Option<Duration>,
        flag: &CancelFlag,
    ) -> Place {
        let client = self.client.as_ref().and_then(|name| name.to_str().ok());
        let question = Question {
            tenant: &self.tenant,
            client: client.unwrap_or(""),
            sort,
            text,
            timeout,
        };
        self.active.enter(question, flag)
    }

    /// Enters what has no time-out, and no flag of its own.
    pub(crate) fn list(&self, sort: Sort, text: &str) -> Place {
        self.enter(sort, text, None, &CancelFlag::new())
    }

    /// What holds for the tenant, as of the moment of the request.
    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// The tenant's name.
    pub(crate) fn tenant_name(&self) -> &str {
        &self.tenant
    }

    /// What is read of the tenant; nothing where nobody has written to it.
    pub(crate) fn tenant(&self) -> Result<Tenant, Problem> {
        let engine = self.engine()?;
        if &*self.tenant == DEFAULT_TENANT {
            return Ok(engine.tenant(DEFAULT_TENANT)?);
        }
        Ok(engine.tenant_to_read(&self.tenant)?)
    }

    /// The tenant, which somebody must have written to.
    pub(crate) fn known_tenant(&self) -> Result<Tenant, Problem> {
        if !self.is_known(&*self.engine()?) {
            let why = format!("nothing has been written to tenant {:?}", self.tenant);
            return Err(Problem::new(Cause::Missing, why));
        }
        self.tenant()
    }

    /// The tenant for who writes to it, made if it may be. Blocks.
    pub(crate) fn tenant_to_fill(&self) -> Result<Tenant, Problem> {
        let engine = self.engine()?;
        if self.is_known(&engine) {
            return Ok(engine.tenant(&self.tenant)?);
        }
        // One at a time, so that the count cannot be passed.
        let _making = self.making.lock();
        let (count, max) = (engine.tenants().len(), self.settings().tenants_max);
        if count >= max && !self.is_known(&engine) {
            let why = format!(
                "there are {count} tenants, and a new one is not made: --tenants-max is {max}"
            );
            return Err(Problem::new(Cause::Limit, why).limited(Limit::Tenants));
        }
        // As of now: they may have been read again since the request came.
        let settings = self.settings_of(&self.tenant);
        Ok(limit(&engine, &self.tenant, &settings)?)
    }

    fn is_known(&self, engine: &Engine) -> bool {
        &*self.tenant == DEFAULT_TENANT || engine.has_tenant(&self.tenant)
    }

    /// Tells the journal of a query that took long, whose it was and how much it has read.
    pub(crate) fn note_query(
        &self,
        language: &str,
        text: &str,
        took: Duration,
        read: &[(&'static str, u64)],
    ) {
        let slow = self.settings().journal.slow_query;
        if slow.is_zero() || took < slow {
            return;
        }
        add(&self.meters.slow_queries, 1);
        let mut pairs = vec![
            ("tenant", self.tenant_name().into()),
            ("language", language.into()),
            ("seconds", took.as_secs_f64().into()),
        ];
        if let Some(access) = &self.access {
            pairs.push(("user", (*access.name).into()));
        }
        pairs.extend(read.iter().map(|(unit, count)| (*unit, (*count).into())));
        pairs.push(("query", text.into()));
        self.journal.say(Level::Warning, "slow query", &pairs);
    }

    /// The tenant's metrics, for reading.
    pub(crate) fn metrics(&self) -> Result<Store<Samples>, Problem> {
        Ok(self.tenant()?.metrics()?)
    }

    /// The tenant's logs, for reading.
    pub(crate) fn logs(&self) -> Result<Store<Lines>, Problem> {
        Ok(self.tenant()?.logs()?)
    }

    /// Where pushed metrics go.
    pub(crate) fn intake<'a>(&'a self, tenant: &'a Tenant) -> Intake<'a> {
        Intake {
            tenant,
            families: &self.families,
            meters: &self.meters,
            paces: &self.paces,
            limits: &self.settings.ingest,
        }
    }

    /// What the tenant's points of delta temporality have been added up to.
    pub(crate) fn deltas(&self) -> Arc<Mutex<Deltas>> {
        let fresh = || {
            Arc::new(Mutex::new(Deltas::new(
                self.settings().otlp_delta_series_max,
            )))
        };
        match self.app.deltas.lock() {
            Ok(mut all) => Arc::clone(all.entry(Arc::clone(&self.tenant)).or_insert_with(fresh)),
            // Another request broke off in the middle; this one counts for itself.
            Err(_) => fresh(),
        }
    }
}
