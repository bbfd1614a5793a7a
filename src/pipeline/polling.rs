//! Asking vendors that do not report by themselves what became of what they took.
//!
//! # Decisions
//! - 2026-11-23: what is to be asked stands nowhere but in the history. A start takes every attempt over such a vendor that is
//!   young enough, and asks about those that have no final status.

use crate::domain::attempt::AttemptStatus;
use crate::domain::channel::Priority;
use crate::domain::id::{AttemptId, DebtorKey};
use crate::domain::time::{Span, Timestamp};
use crate::pipeline::agenda::{Due, Task};
use crate::pipeline::carriers::Carrier;
use crate::pipeline::unit::Unit;
use crate::pipeline::{Pipeline, Refusal};
use crate::provider::callback::CallbackEvent;
use crate::provider::poll::{Answered, PollSpec};
use crate::storage::StorageError;
use std::time::Duration;

/// The longest sleep: a clock that was set forward is noticed by then.
const NAP: Span = Span::seconds(1);
/// Where the vendor asks for patience without saying how much.
const PATIENCE: Span = Span::seconds(60);
/// The longest patience that one answer may ask for.
const LONGEST: Span = Span::hours(1);

/// What is known of an attempt that is to be asked about.
struct Open {
    reference: Option<String>,
    since: Timestamp,
}

/// Has a vendor asked about an attempt, if it is one that has to be asked.
pub(in crate::pipeline) fn watch(carrier: &Carrier, debtor: DebtorKey, attempt: AttemptId, since: Timestamp) {
    let Some(poll) = &carrier.vendor().0.poll else { return };
    put(carrier, debtor, attempt, since.plus(poll.interval));
}

fn put(carrier: &Carrier, debtor: DebtorKey, attempt: AttemptId, at: Timestamp) {
    carrier.polls.put(Due { at, priority: Priority::Normal, task: Task::Poll(attempt), debtor });
}

impl Pipeline {
    /// Asks one vendor about what is open, until it is told to stop.
    pub(in crate::pipeline) async fn poll(&self, carrier: &Carrier) {
        let Some(poll) = &carrier.vendor().0.poll else { return };
        while self.recall(carrier, poll).await.is_err() {
            tracing::error!(provider = %carrier.name, "poll.not_recalled");
            tokio::select! {
                () = tokio::time::sleep(NAP.to_std()) => {}
                () = self.shop.closing.cancelled() => return,
            }
        }
        let pace = Duration::from_secs(1) / poll.rate_per_second;
        // Patience is asked for by the vendor, whichever message the answer is about.
        let mut not_before = self.desk().clock.now();
        while !self.shop.closing.is_cancelled() {
            let now = self.desk().clock.now();
            let next = if now < not_before { Err(Some(not_before)) } else { carrier.polls.next(now) };
            let rest = match next {
                Ok(Due { task: Task::Poll(attempt), debtor, .. }) => {
                    // Only a question is paced: most of what a start takes up has its end, and keeps nobody waiting.
                    let Some(patience) = self.ask(carrier, poll, debtor, attempt).await else { continue };
                    not_before = now.plus(patience.min(LONGEST));
                    pace
                }
                Ok(_) => continue,
                Err(next) => {
                    let nap = next.map_or(NAP, |at| at.since(now).min(NAP)).max(Span::millis(1)).to_std();
                    tokio::select! {
                        () = carrier.polls.changed() => {}
                        () = tokio::time::sleep(nap) => {}
                        () = self.shop.closing.cancelled() => return,
                    }
                    continue;
                }
            };
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = self.shop.closing.cancelled() => return,
            }
        }
    }

    /// Takes up what was open when the program last ended.
    async fn recall(&self, carrier: &Carrier, poll: &PollSpec) -> Result<(), Refusal> {
        let (name, now) = (carrier.name.clone(), self.desk().clock.now());
        let since = now.plus(Span::millis(-poll.until.as_millis()));
        let rows = self.read(move |store| store.reader()?.attempts_since(&name, since)).await?;
        for row in rows.iter().filter(|row| !row.open) {
            put(carrier, row.debtor, row.attempt, now.max(row.started_at.plus(poll.interval)));
        }
        Ok(())
    }

    /// Asks about one attempt, unless its end is known by now. How long the vendor is to be left alone then; none where it was
    /// not asked.
    async fn ask(
        &self,
        carrier: &Carrier,
        poll: &PollSpec,
        debtor: DebtorKey,
        attempt: AttemptId,
    ) -> Option<Span> {
        let now = self.desk().clock.now();
        let at_once = Some(Span::millis(0));
        let again = |after: Span| put(carrier, debtor, attempt, now.plus(after));
        let (channel, name) = (carrier.channel, carrier.name.as_str());
        let open = match self.open(carrier, debtor, attempt).await {
            Ok(found) => found?,
            // The history is out of reach: what would come of it could not be recorded, and no other can be looked at either.
            Err(_) => {
                again(NAP);
                return Some(NAP);
            }
        };
        if now.since(open.since) > poll.until {
            tracing::warn!(attempt.id = %attempt, provider = name, "poll.given_up");
            self.metrics().callback(channel, name, "given_up");
            return None;
        }
        let (manifest, settings) = carrier.vendor();
        let reference = open.reference.as_deref();
        // Without the vendor's identifier there is no question to ask.
        let request = manifest.question(attempt, reference, settings, now)?;
        let answer = match carrier.transport().ask(request).await {
            Some(response) => manifest.answered(attempt, reference, &response),
            None => Answered::Nothing("no_answer".to_owned()),
        };
        match answer {
            Answered::Said(said) => {
                let taken = self.take(channel, name, CallbackEvent::Delivery(said)).await;
                self.metrics().callback(channel, name, if taken.is_ok() { "polled" } else { "unmatched" });
                // What it says may be the end. Where that cannot be known now, the next look knows.
                if !matches!(self.open(carrier, debtor, attempt).await, Ok(None)) {
                    again(poll.interval);
                }
            }
            Answered::Patience(seconds) => {
                let asked = seconds.map_or(PATIENCE, |seconds| Span::seconds(seconds.into()));
                again(poll.interval.max(asked));
                return Some(asked);
            }
            Answered::Nothing(code) => {
                tracing::warn!(attempt.id = %attempt, provider = name, failure.code = %code, "poll.nothing_said");
                self.metrics().callback(channel, name, "unanswered");
                again(poll.interval);
            }
        }
        at_once
    }

    /// An attempt over a carrier whose end is not known; none where it is.
    async fn open(
        &self,
        carrier: &Carrier,
        debtor: DebtorKey,
        attempt: AttemptId,
    ) -> Result<Option<Open>, Refusal> {
        let provider = carrier.name.clone();
        self.file(move |unit| open(unit, debtor, attempt, &provider).map(Ok)).await
    }
}

/// An attempt over this provider whose end is not known; none where it is.
fn open(
    unit: &mut Unit<'_>,
    debtor: DebtorKey,
    attempt: AttemptId,
    provider: &str,
) -> Result<Option<Open>, StorageError> {
    let state = unit.debtor(debtor)?;
    let Some(known) = state.attempts.get(&attempt).filter(|known| known.provider == provider) else {
        return Ok(None);
    };
    let open = matches!(known.status, AttemptStatus::Sent | AttemptStatus::Unknown);
    Ok(open.then(|| Open { reference: known.provider_ref.clone(), since: known.started_at }))
}
