//! What a start finds: attempts in doubt are settled as unknown, pending work goes on the agenda, a new policy is recorded.

use crate::domain::channel::Priority;
use crate::domain::event::{Actor, AttemptFailure, EventBody, Sealed};
use crate::domain::outcome::{FailureCause, FailureClass};
use crate::domain::request::RequestStatus;
use crate::domain::time::{Span, Timestamp};
use crate::pipeline::agenda::{Agenda, Due, Task};
use crate::pipeline::recorder::{Recorder, Unavailable};
use crate::pipeline::{Desk, amend};
use crate::storage::{AttemptRow, RequestRow, StorageError, Store};
use futures_util::future::try_join_all;
use std::sync::Arc;

/// How far apart the requests that wait are asked about anew at a start: there may be a million of them.
const ANEW: Span = Span::millis(5);

/// The pipeline could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be written or read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What was left open could not be recorded.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// No thread could be had.
    #[error("the recorder's thread could not be started: {0}")]
    Thread(std::io::ErrorKind),
}

/// Brings everything to where the loops can begin. `true` if the law is another than the one last in force: what is pending is
/// then due at once.
pub async fn recover(
    store: &Store,
    desk: &Arc<Desk>,
    recorder: &Recorder,
    agenda: &Agenda,
) -> Result<bool, StartError> {
    let in_doubt = store.reader()?.open_attempts()?;
    if !in_doubt.is_empty() {
        tracing::warn!(attempts = in_doubt.len(), "recovery.attempts_in_doubt");
    }
    // All at once, so that few commits take them.
    try_join_all(in_doubt.into_iter().map(|attempt| settle(recorder, attempt))).await?;
    let amended = record_policy(store, desk, recorder).await?;
    let reader = store.reader()?;
    for permit in reader.issued_permits()? {
        let (at, task) = (permit.expires_at, Task::Permit(permit.permit));
        agenda.put(Due { at, priority: Priority::Normal, task, debtor: permit.debtor });
    }
    // A fact may have been recorded of which nobody heard: by an import, or right before a crash.
    let (now, mut asked) = (desk.clock.now(), 0);
    reader.open_requests(|row| {
        let anew = waits(&row).then(|| {
            asked += 1;
            now.plus(Span::millis(ANEW.as_millis() * asked))
        });
        put(agenda, &row, anew.map(|anew| row.due_at.map_or(anew, |due| due.min(anew))).or(row.due_at));
    })?;
    drop(reader);
    if amended {
        renew(store, agenda, desk.clock.now())?;
    }
    Ok(amended)
}

/// An attempt in doubt may have left: it counts, and it is never repeated (invariant 4).
async fn settle(recorder: &Recorder, attempt: AttemptRow) -> Result<(), Unavailable> {
    let failure = AttemptFailure {
        attempt: attempt.attempt,
        cause: FailureCause::Unspecified,
        class: FailureClass::Uncertain,
        code: "interrupted".to_owned(),
    };
    let body = EventBody::AttemptUnknown(failure, Sealed::Gone);
    recorder.run(move |unit| unit.record(attempt.debtor, &Actor::Gateway, body)).await
}

/// Puts everything pending on the agenda for now, because something changed that may concern all of it.
pub fn renew(store: &Store, agenda: &Agenda, now: Timestamp) -> Result<(), StorageError> {
    store.reader()?.open_requests(|row| {
        if waits(&row) {
            put(agenda, &row, Some(now));
        }
    })
}

/// Whether a new fact may change what happens to it: it waits, or it went out, waits to fall back and may be held back.
fn waits(row: &RequestRow) -> bool {
    row.status == RequestStatus::Deferred || (row.status == RequestStatus::Sent && row.due_at.is_some())
}

fn put(agenda: &Agenda, row: &RequestRow, at: Option<Timestamp>) {
    let at = at.unwrap_or(row.expires_at);
    agenda.put(Due { at, priority: row.priority, task: Task::Request(row.request), debtor: row.debtor });
}

/// A policy other than the last one recorded is an event of the installation.
async fn record_policy(store: &Store, desk: &Arc<Desk>, recorder: &Recorder) -> Result<bool, StartError> {
    let stamp = desk.policy.load().stamp();
    let last = amend::amendments(&store.reader()?)?.pop().map(|last| last.policy.digest);
    if last.as_ref() == Some(&stamp.digest) {
        return Ok(false);
    }
    let body = EventBody::PolicyChanged(stamp, Sealed::Gone);
    recorder.run(move |unit| unit.record_installation(&Actor::Gateway, &body)).await?;
    Ok(last.is_some())
}
