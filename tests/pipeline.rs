//! The whole way of a contact request, in one process, under a clock that the tests move.

#[path = "pipeline/answers.rs"]
mod answers;
#[path = "pipeline/cadences.rs"]
mod cadences;
#[path = "pipeline/caps.rs"]
mod caps;
#[path = "pipeline/failover.rs"]
mod failover;
#[path = "pipeline/failures.rs"]
mod failures;
#[path = "pipeline/fallback.rs"]
mod fallback;
#[path = "pipeline/flow.rs"]
mod flow;
#[path = "pipeline/house.rs"]
mod house;
#[path = "pipeline/learning.rs"]
mod learning;
#[path = "pipeline/letters.rs"]
mod letters;
#[path = "pipeline/mail.rs"]
mod mail;
#[path = "pipeline/month.rs"]
mod month;
#[path = "pipeline/numbers.rs"]
mod numbers;
#[path = "pipeline/once.rs"]
mod once;
#[path = "support/patience.rs"]
mod patience;
#[path = "pipeline/permits.rs"]
mod permits;
#[path = "pipeline/polling.rs"]
mod polling;
#[path = "pipeline/portal.rs"]
mod portal;
#[path = "pipeline/receipts.rs"]
mod receipts;
#[path = "pipeline/rejoinders.rs"]
mod rejoinders;
#[path = "pipeline/replay.rs"]
mod replay;
#[path = "pipeline/replies.rs"]
mod replies;
#[path = "pipeline/shared.rs"]
mod shared;
#[path = "pipeline/webhooks.rs"]
mod webhooks;
#[path = "pipeline/weights.rs"]
mod weights;
