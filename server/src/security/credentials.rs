//! Passwords and tokens: whose request it is.
//!
//! A password costs the same whether its user exists or not. What was found right is remembered by
//! a keyed hash, so that a sender pays for bcrypt once; everything else waits on a lane of its own,
//! so that guessing takes no time from those who are known.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::access::Access;
use super::file::{self, Secret, WebConfig};
use crate::http::lane::Lane;
use crate::http::problem::Problem;
use crate::meters::Limit;

/// Passwords that are known to be right.
const REMEMBERED_MAX: usize = 100;

/// Passwords that are checked at once.
const CHECKS_MAX: usize = 1;
/// Those that may wait for one of these to end.
const WAITING_CHECKS_MAX: usize = 64;

/// The highest cost of a hash: each step more doubles its time, and 15 is some seconds.
const COST_MAX: u32 = 15;

/// Bytes of a password or token.
const SECRET_BYTES_MAX: usize = 4096;

/// Who is let in.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    users: BTreeMap<String, User>,
    /// What a password is checked against whose user does not exist: the dearest of the hashes.
    decoy: Option<Secret>,
    tokens: Vec<Token>,
}

#[derive(Debug)]
struct User {
    hash: Secret,
    access: Arc<Access>,
}

/// A token by its SHA-256: a token is long and random, so that a fast hash is enough.
struct Token {
    digest: [u8; 32],
    access: Arc<Access>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<token>")
    }
}

/// Why somebody is not let in.
#[derive(Debug)]
pub(crate) enum Denied {
    /// Nothing was told, or what was told is not right.
    Unknown,
    /// It could not be checked now.
    Busy(Problem),
}

/// What checks passwords, for as long as the server runs.
pub(crate) struct Checks {
    lane: Lane,
    key: hmac::Key,
    known: Mutex<VecDeque<[u8; 32]>>,
    /// How often bcrypt was run.
    pub(super) hashed: AtomicU64,
    /// How often somebody was turned away.
    pub(super) denied: AtomicU64,
}

/// What a request says of its sender.
enum Claim<'h> {
    Password { user: String, password: String },
    Token(&'h [u8]),
}

impl Credentials {
    pub(super) fn read(config: &WebConfig) -> Result<Credentials, String> {
        let mut credentials = Credentials::default();
        let access = |name: &str| {
            let read = Access::read(name, config.access.get(name));
            let named = read.map_err(|why| format!("access: {name:?}: {why}"));
            named.map(Arc::new)
        };
        let mut dearest = 0;
        for (name, hash) in &config.basic_auth_users {
            let parts: bcrypt::HashParts = hash
                .0
                .parse()
                .map_err(|_| format!("basic_auth_users: what {name:?} has is no hash of bcrypt"))?;
            let cost = parts.get_cost();
            if cost > COST_MAX {
                return Err(format!(
                    "basic_auth_users: the hash of {name:?} has cost {cost}, at most {COST_MAX}"
                ));
            }
            if cost > dearest {
                (dearest, credentials.decoy) = (cost, Some(hash.clone()));
            }
            let user = User {
                hash: hash.clone(),
                access: access(name)?,
            };
            credentials.users.insert(name.clone(), user);
        }
        for (name, token) in &config.bearer_tokens {
            let found = match (&token.sha256, &token.file) {
                (Some(text), _) => from_hex(&text.0),
                (None, Some(path)) => {
                    let text = file::read_text(path)?;
                    let token = text.trim();
                    (!token.is_empty()).then(|| sha256(token.as_bytes()))
                }
                (None, None) => None,
            };
            let digest = found.ok_or_else(|| {
                format!(
                    "bearer_tokens: {name:?} wants a SHA-256 of 64 hexadecimal digits, or a file \
                     with a token"
                )
            })?;
            let access = access(name)?;
            if credentials
                .tokens
                .iter()
                .any(|known| known.digest == digest)
            {
                return Err(format!(
                    "bearer_tokens: {name:?} has the token of another name: nobody could tell \
                     whose request it is"
                ));
            }
            credentials.tokens.push(Token { digest, access });
        }
        Ok(credentials)
    }

    /// Whether nobody is asked who they are.
    pub(crate) fn is_open(&self) -> bool {
        self.users.is_empty() && self.tokens.is_empty()
    }

    /// Whether anybody is bound to tenants.
    pub(super) fn is_bound(&self) -> bool {
        let users = self.users.values().map(|user| &user.access);
        let mut all = users.chain(self.tokens.iter().map(|token| &token.access));
        all.any(|access| access.is_bound())
    }

    /// What a client is told that it may tell.
    pub(crate) fn scheme(&self) -> &'static str {
        match self.users.is_empty() {
            true => "Bearer",
            false => "Basic",
        }
    }

    /// Whose request it is that has these headers.
    pub(super) async fn admit(
        &self,
        headers: &HeaderMap,
        checks: &Checks,
    ) -> Result<Arc<Access>, Denied> {
        let admitted = match claim(headers) {
            None => Err(Denied::Unknown),
            Some(Claim::Token(token)) => self.of_token(token).ok_or(Denied::Unknown),
            Some(Claim::Password { user, password }) => {
                self.of_password(&user, password, checks).await
            }
        };
        if admitted.is_err() {
            checks.denied.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// Compares with every token to the end, so that time tells nothing.
    fn of_token(&self, token: &[u8]) -> Option<Arc<Access>> {
        let digest = sha256(token);
        let mut found = 0;
        for (place, known) in (1u64..).zip(&self.tokens) {
            let is_equal: Choice = known.digest.ct_eq(&digest);
            found = u64::conditional_select(&found, &place, is_equal);
        }
        let place = usize::try_from(found.checked_sub(1)?).ok()?;
        Some(Arc::clone(&self.tokens.get(place)?.access))
    }

    async fn of_password(
        &self,
        name: &str,
        password: String,
        checks: &Checks,
    ) -> Result<Arc<Access>, Denied> {
        let user = self.users.get(name);
        let Some(hash) = user.map(|user| &user.hash).or(self.decoy.as_ref()) else {
            return Err(Denied::Unknown);
        };
        let hash = hash.0.clone();
        let mark = checks.mark(name, &hash, &password);
        if let Some(user) = user
            && checks.knows(&mark)
        {
            return Ok(Arc::clone(&user.access));
        }
        let check = move || Ok(bcrypt::verify(&password, &hash).unwrap_or(false));
        checks.hashed.fetch_add(1, Ordering::Relaxed);
        let is_right = checks.lane.run(check).await.map_err(Denied::Busy)?;
        match user.filter(|_| is_right) {
            Some(user) => {
                checks.remember(mark);
                Ok(Arc::clone(&user.access))
            }
            None => Err(Denied::Unknown),
        }
    }
}

impl Checks {
    pub(super) fn new() -> Result<Checks, String> {
        let random = ring::rand::SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random)
            .map_err(|_| "the system gives no random numbers".to_owned())?;
        Ok(Checks {
            lane: Lane::new(
                "password checks",
                Limit::WaitingChecks,
                CHECKS_MAX,
                WAITING_CHECKS_MAX,
            ),
            key,
            known: Mutex::default(),
            hashed: AtomicU64::new(0),
            denied: AtomicU64::new(0),
        })
    }

    /// What is remembered of a password. The hash is part of it, so a changed password is no
    /// longer known.
    fn mark(&self, user: &str, hash: &str, password: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [user, hash, password] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut mark = [0; 32];
        mark.copy_from_slice(context.sign().as_ref());
        mark
    }

    fn knows(&self, mark: &[u8; 32]) -> bool {
        let Ok(known) = self.known.lock() else {
            return false;
        };
        let compared = known.iter().map(|other| other.ct_eq(mark));
        compared.fold(Choice::from(0), |any, one| any | one).into()
    }

    fn remember(&self, mark: [u8; 32]) {
        if let Ok(mut known) = self.known.lock() {
            if known.len() >= REMEMBERED_MAX {
                known.pop_front();
            }
            known.push_back(mark);
        }
    }
}

/// What the one `Authorization` header says; nothing where there are several.
fn claim(headers: &HeaderMap) -> Option<Claim<'_>> {
    let mut told = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (told.next(), told.next()) else {
        return None;
    };
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    if rest.len() > SECRET_BYTES_MAX {
        return None;
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Claim::Token(rest.as_bytes()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(Claim::Password {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let (text, mut out) = (text.trim().as_bytes(), [0; 32]);
    if text.len() != 2 * out.len() {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        let hash = |password| Secret(bcrypt::hash(password, 4).unwrap());
        let mut config = WebConfig::default();
        let users = &mut config.basic_auth_users;
        users.insert("alice".to_owned(), hash("right"));
        users.insert("bob".to_owned(), hash("other"));
        let token = file::TokenConfig {
            sha256: Some(Secret(
                sha256(b"token").map(|byte| format!("{byte:02x}")).concat(),
            )),
            file: None,
        };
        config.bearer_tokens.insert("agent".to_owned(), token);
        Credentials::read(&config).unwrap()
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    fn let_in(credentials: &Credentials, checks: &Checks, told: &[String]) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let mut headers = HeaderMap::new();
        for value in told {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        let admitted = runtime
            .unwrap()
            .block_on(credentials.admit(&headers, checks));
        admitted.is_ok()
    }

    #[test]
    fn the_right_password_or_token_is_let_in_and_nothing_else() {
        let (credentials, checks) = (credentials(), Checks::new().unwrap());
        let ask = |told: &[String]| let_in(&credentials, &checks, told);
        assert!(ask(&[basic("alice:right")]));
        assert!(ask(&["bearer token".to_owned()]));
        for told in [
            basic("alice:other"),
            basic("alice:"),
            basic("alice"),
            basic(":right"),
            basic("ALICE:right"),
            basic("alice:right\0"),
            "Bearer Token".to_owned(),
            "Bearer ".to_owned(),
            "Bearer".to_owned(),
            "Digest alice".to_owned(),
            "Basic ???".to_owned(),
            format!("Bearer {}", "x".repeat(SECRET_BYTES_MAX + 1)),
        ] {
            assert!(!ask(std::slice::from_ref(&told)), "{told}");
        }
        assert!(!ask(&[]));
        assert!(!ask(&[basic("alice:right"), basic("alice:right")]));
    }

    #[test]
    fn an_unknown_user_costs_what_a_known_one_costs() {
        let (credentials, checks) = (credentials(), Checks::new().unwrap());
        let cost = |user: &str| {
            let before = checks.hashed.load(Ordering::Relaxed);
            assert!(!let_in(
                &credentials,
                &checks,
                &[basic(&format!("{user}:guess"))]
            ));
            checks.hashed.load(Ordering::Relaxed) - before
        };
        assert_eq!((cost("alice"), cost("nobody")), (1, 1));
    }

    #[test]
    fn a_right_password_is_hashed_once_and_a_changed_one_again() {
        let (mut credentials, checks) = (credentials(), Checks::new().unwrap());
        let told = [basic("alice:right")];
        for _ in 0..3 {
            assert!(let_in(&credentials, &checks, &told));
        }
        assert_eq!(checks.hashed.load(Ordering::Relaxed), 1);
        let changed = Secret(bcrypt::hash("new", 4).unwrap());
        credentials.users.get_mut("alice").unwrap().hash = changed;
        assert!(!let_in(&credentials, &checks, &told));
        assert!(let_in(&credentials, &checks, &[basic("alice:new")]));
        for number in 0..2 * REMEMBERED_MAX {
            checks.remember([number as u8; 32]);
        }
        assert_eq!(checks.known.lock().unwrap().len(), REMEMBERED_MAX);
    }

    #[test]
    fn hashes_that_are_none_or_too_dear_are_refused_by_the_user_s_name() {
        for (hash, named) in [
            ("plain s3cret", "no hash"),
            (
                "$2y$16$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze",
                "cost 16",
            ),
        ] {
            let mut config = WebConfig::default();
            let users = &mut config.basic_auth_users;
            users.insert("alice".to_owned(), Secret(hash.to_owned()));
            let why = Credentials::read(&config).err().unwrap();
            assert!(why.contains(named) && why.contains("alice"), "{why}");
            assert!(!why.contains("s3cret"), "{why}");
        }
    }
}
