//! Who calls: API keys and the roles they carry.
//!
//! A key is known here only by its SHA-256; keys are 256 random bits, so nothing slower is needed. The ring of known keys is
//! a snapshot in memory: checking one takes a hash and a comparison, no lock and no store.
//!
//! | role | may |
//! |---|---|
//! | `upstream` | state every fact about a debtor, erase, post and cancel requests and cadences, ask decisions and permits, report contacts, serve inboxes; read debtors, requests and pauses |
//! | `operator` | place and lift holds and pauses, resolve reviews, serve inboxes, ask decisions; read everything but keys |
//! | `compliance` | read everything but keys, ask decisions (previews record nothing); change nothing |
//! | `admin` | all of that, and keys |
//!
//! An upstream system reads what upstream wrote, whichever of its keys wrote it: keys are rotated, and a record that only a
//! revoked key may read would be lost. What others did (the history, reviews) is not its to read.

use crate::domain::event::Actor;
use crate::http::Api;
use crate::http::problem::{Problem, ProblemKind};
use crate::storage::ApiKeyRow;
use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use subtle::ConstantTimeEq;

/// What an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An upstream system.
    Upstream,
    /// A compliance officer.
    Compliance,
    /// Operations staff.
    Operator,
    /// All of that, and keys.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: &'static [Self] = &[Self::Upstream, Self::Compliance, Self::Operator, Self::Admin];

    /// The role's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Compliance => "compliance",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == word)
    }
}

/// The SHA-256 of a key.
pub type KeyDigest = [u8; 32];

/// The digest under which a key is kept.
pub fn digest_of(key: &str) -> KeyDigest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, key.as_bytes()).as_ref());
    bytes
}

/// A key that was let in.
pub struct Holder {
    /// As it stands in the history.
    pub actor: Actor,
    /// The key's identifier.
    pub id: String,
    /// What it may do.
    pub role: Role,
}

struct Entry {
    digest: KeyDigest,
    holder: Arc<Holder>,
}

/// The keys that open the door now.
pub struct Gate {
    ring: ArcSwap<Ring>,
    bootstrap: Option<KeyDigest>,
    looking: OnceLock<Look>,
}

/// Looks for a key that is not known, and may take its time.
type Look = Box<dyn Fn(String) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;
type Ring = HashMap<[u8; 8], Vec<Entry>>;

/// What stands for the bootstrap key in logs and the history.
const BOOTSTRAP: &str = "bootstrap";

impl Gate {
    /// A gate that only a bootstrap key opens, as an administrator's; nobody, where there is none.
    pub fn new(bootstrap: Option<&str>) -> Self {
        let ring = ArcSwap::default();
        let gate = Self { ring, bootstrap: bootstrap.map(digest_of), looking: OnceLock::new() };
        gate.load(&[]);
        gate
    }

    /// Has this done whenever a key is not known, before it is refused: another process may just have made it. It is called
    /// for every wrong key, so it must itself see to it that guessing keeps nobody busy.
    pub fn when_unknown<F>(&self, look: impl Fn(String) -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // Whoever came first stays.
        let _ = self.looking.set(Box::new(move |key| Box::pin(look(key))));
    }

    /// Takes these keys in place of those known so far; revoked ones stay outside.
    pub fn load(&self, keys: &[ApiKeyRow]) {
        let mut ring = Ring::with_capacity(keys.len() + 1);
        let mut add = |id: String, role, digest: KeyDigest| {
            let holder = Arc::new(Holder { actor: Actor::Key(id.clone()), id, role });
            ring.entry(bucket(&digest)).or_default().push(Entry { digest, holder });
        };
        for key in keys.iter().filter(|key| key.revoked_at.is_none()) {
            match Role::from_word(&key.role) {
                Some(role) => add(key.id.to_string(), role, key.hash),
                None => {
                    tracing::warn!(key = %key.id, "an API key has a role that this version does not know")
                }
            }
        }
        if let Some(digest) = self.bootstrap {
            add(BOOTSTRAP.to_owned(), Role::Admin, digest);
        }
        self.ring.store(Arc::new(ring));
    }

    /// Who holds this key. The bucket follows from a hash of the whole key, so looking it up tells nothing of the key; the
    /// digests themselves are compared in constant time.
    pub fn admit(&self, key: &str) -> Option<Arc<Holder>> {
        let digest = digest_of(key);
        let ring = self.ring.load();
        let entries = ring.get(&bucket(&digest))?;
        let found = entries.iter().find(|entry| bool::from(entry.digest.ct_eq(&digest)));
        found.map(|entry| Arc::clone(&entry.holder))
    }
}

fn bucket(digest: &KeyDigest) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    first
}

/// The key in `Authorization: Bearer KEY` (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim()).filter(|key| !key.is_empty())
}

/// A group of operations that the same roles may use.
pub trait Allows: Send + Sync {
    /// The roles, besides `admin`, which may do everything.
    const ROLES: &'static [Role];
}

macro_rules! grants {
    ($($(#[$doc:meta])* $name:ident = [$($role:ident),*]),+ $(,)?) => {
        $($(#[$doc])* pub struct $name;
        impl Allows for $name { const ROLES: &'static [Role] = &[$(Role::$role),*]; })+
    };
}

grants! {
    /// State facts about debtors, ask for contacts.
    Writes = [Upstream],
    /// Place and lift holds.
    Holds = [Upstream, Operator],
    /// Serve the debtor's inbox in a portal.
    Carries = [Upstream, Operator],
    /// Ask what would be decided.
    Asks = [Upstream, Compliance, Operator],
    /// Read debtors, requests and pauses.
    Reads = [Upstream, Compliance, Operator],
    /// Read the history and the review queue.
    Inspects = [Compliance, Operator],
    /// Pause sending, resolve reviews.
    Operates = [Operator],
    /// Create and revoke keys.
    Administers = [],
}

/// The holder of the key that a request carries, whose role allows `A`.
pub struct Caller<A> {
    holder: Arc<Holder>,
    allowed: PhantomData<A>,
}

impl<A> Caller<A> {
    /// As it stands in the history.
    pub fn actor(&self) -> &Actor {
        &self.holder.actor
    }
}

impl<A: Allows> FromRequestParts<Api> for Caller<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Api) -> Result<Self, Problem> {
        let holder = parts.extensions.get::<Arc<Holder>>().ok_or_else(|| {
            Problem::new(
                ProblemKind::Unauthenticated,
                "send Authorization: Bearer KEY, with a key that is known here",
            )
        })?;
        if holder.role == Role::Admin || A::ROLES.contains(&holder.role) {
            Ok(Self { holder: Arc::clone(holder), allowed: PhantomData })
        } else {
            let needed: Vec<&str> = A::ROLES.iter().copied().chain([Role::Admin]).map(Role::as_str).collect();
            Err(Problem::new(
                ProblemKind::Forbidden,
                format!("this key's role is {}; this needs {}", holder.role.as_str(), needed.join(" or ")),
            ))
        }
    }
}

/// Looks at the key that a request carries, if any, and remembers its holder for [`Caller`] and the access log.
pub async fn identify(gate: &Gate, headers: &HeaderMap) -> Option<Arc<Holder>> {
    let key = bearer(headers)?;
    if let Some(holder) = gate.admit(key) {
        return Some(holder);
    }
    (gate.looking.get()?)(key.to_owned()).await;
    gate.admit(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::KeyId;
    use crate::domain::time::Timestamp;

    fn row(key: &str, role: &str, revoked_at: Option<Timestamp>) -> ApiKeyRow {
        let (created_at, name) = (Timestamp::from_millis(1_000), "sample".to_owned());
        let id = KeyId::new(created_at, &[7; 10]);
        ApiKeyRow { id, hash: digest_of(key), role: role.to_owned(), name, created_at, revoked_at }
    }

    #[test]
    fn a_revoked_key_no_longer_opens() {
        let gate = Gate::new(Some("the-bootstrap-key"));
        let rows = [row("first-key", "upstream", None), row("of-tomorrow", "archivist", None)];
        gate.load(&rows);
        assert_eq!(gate.admit("first-key").map(|holder| holder.role), Some(Role::Upstream));
        assert!(gate.admit("first-kez").is_none());
        assert!(gate.admit("of-tomorrow").is_none(), "a role that is not known opens nothing");
        gate.load(&[row("first-key", "upstream", Some(Timestamp::from_millis(2_000)))]);
        assert!(gate.admit("first-key").is_none());
        assert_eq!(gate.admit("the-bootstrap-key").map(|holder| holder.role), Some(Role::Admin));
        assert!(Gate::new(None).admit("the-bootstrap-key").is_none());
    }

    #[tokio::test]
    async fn a_key_that_another_process_just_made_is_looked_for() {
        let gate = Arc::new(Gate::new(None));
        let later = Arc::downgrade(&gate);
        gate.when_unknown(move |_| {
            let gate = later.upgrade();
            async move { gate.into_iter().for_each(|gate| gate.load(&[row("new-key", "operator", None)])) }
        });
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, axum::http::HeaderValue::from_static("Bearer new-key"));
        assert!(identify(&gate, &headers).await.is_some());
        headers.insert(header::AUTHORIZATION, axum::http::HeaderValue::from_static("Bearer no-key"));
        assert!(identify(&gate, &headers).await.is_none());
    }

    #[test]
    fn only_a_bearer_key_counts() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, axum::http::HeaderValue::from_static(value));
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(with("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(with("bearer abc").as_deref(), Some("abc"));
        for wrong in ["Basic abc", "Bearer", "Bearer ", "abc"] {
            assert_eq!(with(wrong), None, "{wrong}");
        }
    }
}
