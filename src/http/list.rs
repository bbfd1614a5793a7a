//! Lists: `{"items": […], "next_cursor": "…"|null}`, with `limit` and an opaque `cursor`.

use crate::http::query::Fields;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use std::fmt::Display;
use std::str::FromStr;

/// A part of a list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct List<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Where to go on: pass it as `cursor`; null at the end.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A part of a list that goes on behind `next`, if at all.
    pub fn of(items: Vec<T>, next: Option<impl Display>) -> Self {
        Self { items, next_cursor: next.map(|place| URL_SAFE_NO_PAD.encode(place.to_string())) }
    }

    /// A list that is whole.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// Takes `cursor` from the query: what [`List::of`] made of a place.
pub fn cursor<T: FromStr>(fields: &mut Fields<'_>) -> Option<T> {
    fields.pick("cursor", "a next_cursor of this list", |text| {
        String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?.parse().ok()
    })
}
