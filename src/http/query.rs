//! Reading path and query parameters: unknown ones, repeated ones and bad values are refused, all faults at once.

use crate::domain::statement::FieldFault;
use crate::http::problem::{Problem, ProblemKind};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use std::borrow::Cow;
use std::str::FromStr;

/// How many items a list has where the caller names no `limit`.
pub const LIMIT_DEFAULT: usize = 100;
/// How many items a list has at most.
pub const LIMIT_MAX: usize = 1_000;

/// The longest identifier that a caller may choose, in characters.
const NAME_MAX: usize = 200;

/// The query parameters of one request, taken out one by one.
pub struct Fields<'q> {
    pairs: Vec<(Cow<'q, str>, Cow<'q, str>)>,
    faults: Vec<FieldFault>,
}

impl<'q> Fields<'q> {
    fn of(query: &'q str) -> Self {
        Self { pairs: url::form_urlencoded::parse(query.as_bytes()).collect(), faults: Vec::new() }
    }

    /// Takes a parameter as text.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let place = self.pairs.iter().position(|(key, _)| key == name)?;
        let (_, value) = self.pairs.remove(place);
        if self.pairs.iter().any(|(key, _)| key == name) {
            self.pairs.retain(|(key, _)| key != name);
            self.fault(name, "is given twice");
        }
        Some(value.into_owned())
    }

    /// Takes a parameter that must have a form; `expected` says which.
    pub fn read<T: FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        self.pick(name, expected, |text| text.parse().ok())
    }

    /// Takes a parameter that must be one of a set of words.
    pub fn pick<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            self.fault(name, &format!("expected {expected}"));
        }
        value
    }

    /// Takes `limit`.
    pub fn limit(&mut self) -> usize {
        self.pick("limit", "a whole number from 1 to 1000", |text| {
            text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit))
        })
        .unwrap_or(LIMIT_DEFAULT)
    }

    /// Records a fault of a parameter.
    pub fn fault(&mut self, name: &str, detail: &str) {
        self.faults
            .push(FieldFault::new(crate::http::shape::pointer([name]), format!("query parameter: {detail}")));
    }

    fn finish<T>(mut self, value: T) -> Result<T, Problem> {
        let unknown: Vec<String> = self.pairs.iter().map(|(name, _)| name.to_string()).collect();
        for name in unknown {
            self.fault(&name, "is not known here");
        }
        if self.faults.is_empty() { Ok(value) } else { Err(Problem::parameters(self.faults)) }
    }
}

/// The query parameters of one kind of request.
pub trait QueryForm: Sized {
    /// Takes every parameter it knows; what is left over is refused.
    fn take(fields: &mut Fields<'_>) -> Self;
}

/// The query parameters of a request, read strictly.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: QueryForm> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut fields = Fields::of(parts.uri.query().unwrap_or_default());
        let value = T::take(&mut fields);
        fields.finish(Self(value))
    }
}

/// No query parameter at all.
pub struct NoQuery;

impl QueryForm for NoQuery {
    fn take(_fields: &mut Fields<'_>) -> Self {
        Self
    }
}

/// A parameter of the path: an identifier of ours, of upstream's, or a word.
pub trait PathPart: Sized {
    /// Reads it, or says why there can be nothing at such an address.
    fn read(text: &str) -> Result<Self, Problem>;
}

/// The one parameter of the path.
pub struct At<T>(pub T);

/// The two parameters of the path.
pub struct At2<A, B>(pub A, pub B);

impl<S: Send + Sync, T: PathPart> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = raw(parts, state).await?;
        T::read(nth(&parameters, 0)?).map(Self)
    }
}

impl<S: Send + Sync, A: PathPart, B: PathPart> FromRequestParts<S> for At2<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = raw(parts, state).await?;
        Ok(Self(A::read(nth(&parameters, 0)?)?, B::read(nth(&parameters, 1)?)?))
    }
}

async fn raw<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, Problem> {
    RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|_| Problem::new(ProblemKind::Unreadable, "the address is not valid UTF-8"))
}

fn nth(parameters: &RawPathParams, index: usize) -> Result<&str, Problem> {
    let value = parameters.iter().nth(index).map(|(_, value)| value);
    value.ok_or_else(|| Problem::new(ProblemKind::Internal, "the route lacks a parameter"))
}

/// An identifier that the caller chose: a debtor's, a pause's, a provider's name.
pub struct Chosen(pub String);

impl PathPart for Chosen {
    fn read(text: &str) -> Result<Self, Problem> {
        let fits = (1..=NAME_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            let detail = format!("path: expected 1 to {NAME_MAX} printable characters");
            Err(Problem::parameters(vec![FieldFault::new("", detail)]))
        }
    }
}

macro_rules! path_ids {
    ($($id:ty = $what:literal),+ $(,)?) => {
        $(impl PathPart for $id {
            fn read(text: &str) -> Result<Self, Problem> {
                text.parse().map_err(|_| Problem::not_found($what))
            }
        })+
    };
}

path_ids! {
    crate::domain::id::AttemptId = "message",
    crate::domain::id::RequestId = "contact request",
    crate::domain::id::CadenceId = "cadence",
    crate::domain::id::PermitId = "permit",
    crate::domain::id::ReviewId = "review",
    crate::domain::id::KeyId = "API key",
}

macro_rules! path_words {
    ($($word:ty = $what:literal),+ $(,)?) => {
        $(impl PathPart for $word {
            fn read(text: &str) -> Result<Self, Problem> {
                Self::from_word(text).ok_or_else(|| Problem::not_found($what))
            }
        })+
    };
}

path_words! {
    crate::domain::channel::Channel = "channel",
    crate::domain::consent::HoldKind = "kind of hold",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named_at_once() {
        let mut fields = Fields::of("limit=0&colour=red&status=open&status=closed&after=12");
        assert_eq!(fields.limit(), LIMIT_DEFAULT);
        assert_eq!(fields.text("status").as_deref(), Some("open"));
        assert_eq!(fields.read::<u64>("after", "a number"), Some(12));
        let at: Vec<String> = {
            let unknown: Vec<String> = fields.pairs.iter().map(|(name, _)| name.to_string()).collect();
            unknown.iter().for_each(|name| fields.fault(name, "is not known here"));
            fields.faults.iter().map(|fault| fault.pointer.clone()).collect()
        };
        assert_eq!(at, ["/limit", "/status", "/colour"]);
        assert!(fields.finish(()).is_err());
    }
}
