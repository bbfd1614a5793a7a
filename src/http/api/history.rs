//! The history as it stands in the log: every event with its place, its hash, and who did it.

use crate::domain::event::{EventBody, Stream};
use crate::domain::time::Timestamp;
use crate::http::Api;
use crate::http::auth::{Caller, Inspects};
use crate::http::list::{self, List};
use crate::http::problem::Problem;
use crate::http::query::{At, Chosen, Fields, Query, QueryForm};
use crate::storage::{HistoryFilter, HistoryRow, SealedPart, StorageError, Store};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(of_debtor)).routes(routes!(across)).routes(routes!(feed))
}

/// One recorded event.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = HistoryEvent)]
struct EventView {
    /// Its index in the whole log, from 0.
    leaf_index: u64,
    /// RFC 6962 leaf hash of the recorded entry, hexadecimal.
    leaf_hash: String,
    /// Whose chain it stands in: `installation`, or the debtor's keyed pseudonym.
    stream: String,
    /// Its place in its chain, from 1.
    seq: u64,
    /// The leaf hash of the entry before it in its chain.
    prev: String,
    /// What happened.
    #[schema(example = "opt_out.received")]
    r#type: String,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who did it: `key:…`, `provider:…`, `gateway`, `debtor` or `operator`.
    #[schema(example = "gateway")]
    actor: String,
    /// What is on record in clear: keyed pseudonyms stand for ids and addresses.
    #[schema(value_type = Object)]
    content: Box<RawValue>,
    /// The personal part, opened; null where there is none, or where the person is erased.
    #[schema(value_type = Option<Object>, required)]
    personal: Option<Box<RawValue>>,
    /// Whether the personal part is gone with the person.
    erased: bool,
}

impl From<HistoryRow> for EventView {
    fn from(row: HistoryRow) -> Self {
        let erased = matches!(row.sealed, SealedPart::Gone);
        let personal = match row.sealed {
            SealedPart::Open(json) => Some(json),
            SealedPart::Absent | SealedPart::Gone => None,
        };
        Self {
            leaf_index: row.leaf,
            leaf_hash: row.leaf_hash.to_string(),
            stream: match row.stream {
                Stream::Installation => "installation".to_owned(),
                Stream::Debtor(key) => key.to_string(),
            },
            seq: row.seq,
            prev: row.prev.to_string(),
            r#type: row.type_name,
            at: row.at,
            actor: row.actor.to_string(),
            content: row.clear,
            personal,
            erased,
        }
    }
}

const INSTANT: &str = "an RFC 3339 timestamp with an offset";

fn types(fields: &mut Fields<'_>) -> Vec<String> {
    let known = |text: &str| {
        let named: Vec<String> = text.split(',').map(str::to_owned).collect();
        named.iter().all(|name| EventBody::TYPES.contains(&name.as_str())).then_some(named)
    };
    fields.pick("type", "one or more event types, with commas between", known).unwrap_or_default()
}

struct OfDebtor {
    after: u64,
    limit: usize,
}

impl QueryForm for OfDebtor {
    fn take(fields: &mut Fields<'_>) -> Self {
        Self { after: list::cursor(fields).unwrap_or(0), limit: fields.limit() }
    }
}

/// Read the history of a debtor, oldest first
#[utoipa::path(
    get, path = "/v1/debtors/{debtor_id}/history", tag = "History",
    params(
        ("debtor_id" = String, Path, description = "Upstream's identifier", example = "D-1001"),
        ("limit" = Option<u16>, Query, description = "At most so many: 100, up to 1000"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "A page of it", body = List<EventView>))
)]
async fn of_debtor(
    State(api): State<Api>,
    _: Caller<Inspects>,
    At(Chosen(debtor_id)): At<Chosen>,
    Query(wanted): Query<OfDebtor>,
) -> Result<Json<List<EventView>>, Problem> {
    let stream = api.pipeline().stream(&debtor_id);
    let (after, limit) = (wanted.after, wanted.limit);
    let rows = api.pipeline().read(move |store| store.reader()?.events_of(stream, after, limit)).await?;
    if rows.is_empty() && after == 0 {
        return Err(Problem::not_found("debtor"));
    }
    let next = (rows.len() == limit).then(|| rows.last().map(|row| row.seq)).flatten();
    Ok(Json(List::of(rows.into_iter().map(EventView::from).collect(), next)))
}

struct Across {
    debtor_id: Option<String>,
    filter: HistoryFilter,
}

impl QueryForm for Across {
    fn take(fields: &mut Fields<'_>) -> Self {
        Self {
            debtor_id: fields.text("debtor_id"),
            filter: HistoryFilter {
                types: types(fields),
                since: fields.read("from", INSTANT),
                until: fields.read("to", INSTANT),
                after: list::cursor(fields),
                limit: fields.limit(),
            },
        }
    }
}

/// Search the history
///
/// In the order of the log. A page may be shorter than its limit although more follows: go on while `next_cursor` is there.
#[utoipa::path(
    get, path = "/v1/history", tag = "History",
    params(
        ("debtor_id" = Option<String>, Query, description = "Of this debtor"),
        ("type" = Option<String>, Query, description = "Of these types, with commas between", example = "opt_out.received,hold.placed"),
        ("from" = Option<String>, Query, description = "Recorded at this moment or later"),
        ("to" = Option<String>, Query, description = "Recorded before this moment"),
        ("limit" = Option<u16>, Query, description = "At most so many: 100, up to 1000"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "A page of it", body = List<EventView>))
)]
async fn across(
    State(api): State<Api>,
    _: Caller<Inspects>,
    Query(wanted): Query<Across>,
) -> Result<Json<List<EventView>>, Problem> {
    let Across { debtor_id, filter } = wanted;
    let stream = debtor_id.map(|debtor_id| api.pipeline().stream(&debtor_id));
    let found = api.pipeline().read(move |store| match stream {
        Some(stream) => within(store, stream, &filter),
        None => {
            let page = store.reader()?.history_page(&filter)?;
            Ok(List::of(page.items.into_iter().map(EventView::from).collect(), page.next))
        }
    });
    Ok(Json(found.await?))
}

/// One debtor's events that pass a filter. A debtor has few events, so they are read whole up to the limit's reach.
fn within(store: &Store, stream: Stream, filter: &HistoryFilter) -> Result<List<EventView>, StorageError> {
    const STRIDE: usize = 1_000;
    let reader = store.reader()?;
    let (mut found, mut seq) = (Vec::new(), 0);
    loop {
        let rows = reader.events_of(stream, seq, STRIDE)?;
        let last = rows.len() < STRIDE;
        seq = rows.last().map_or(seq, |row| row.seq);
        found.extend(rows.into_iter().filter(|row| passes(filter, row)));
        if last || found.len() > filter.limit {
            break;
        }
    }
    let more = found.len() > filter.limit;
    found.truncate(filter.limit);
    let next = if more { found.last().map(|row| row.leaf) } else { None };
    Ok(List::of(found.into_iter().map(EventView::from).collect(), next))
}

fn passes(filter: &HistoryFilter, row: &HistoryRow) -> bool {
    (filter.types.is_empty() || filter.types.contains(&row.type_name))
        && filter.since.is_none_or(|since| row.at >= since)
        && filter.until.is_none_or(|until| row.at < until)
        && filter.after.is_none_or(|after| row.leaf > after)
}

struct Feed {
    after: Option<u64>,
    limit: usize,
}

impl QueryForm for Feed {
    fn take(fields: &mut Fields<'_>) -> Self {
        let after = fields.read("after", "a leaf_index");
        // A page's own cursor is further along than where the first page began.
        Self { after: list::cursor(fields).or(after), limit: fields.limit() }
    }
}

/// Follow everything, from any point
///
/// In the order of the log, for machines: pass the last `leaf_index` seen as `after`; an empty page means that nothing is
/// new.
#[utoipa::path(
    get, path = "/v1/events", tag = "History",
    params(
        ("after" = Option<u64>, Query, description = "Behind this `leaf_index`; from the first event where absent"),
        ("limit" = Option<u16>, Query, description = "At most so many: 100, up to 1000"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before, in place of `after`")
    ),
    responses((status = 200, description = "A page of it", body = List<EventView>))
)]
async fn feed(
    State(api): State<Api>,
    _: Caller<Inspects>,
    Query(wanted): Query<Feed>,
) -> Result<Json<List<EventView>>, Problem> {
    let Feed { after, limit } = wanted;
    let rows = api.pipeline().read(move |store| store.reader()?.events_after(after, limit)).await?;
    let next = (rows.len() == limit).then(|| rows.last().map(|row| row.leaf)).flatten();
    Ok(Json(List::of(rows.into_iter().map(EventView::from).collect(), next)))
}
