//! What is to be done next for a request that was looked at.

use crate::coordination::breaker::Ticket;
use crate::domain::id::{AttemptId, DebtorKey, RequestId};
use crate::domain::message::Outgoing;
use crate::pipeline::carriers::{Carrier, Slot};
use std::sync::Arc;

/// What is to be done after a request was looked at.
pub enum Step {
    /// Nothing for now.
    Rest,
    /// It may go, but over a provider for which no slot is held: take one and ask again.
    NeedsSlot(Arc<Carrier>),
    /// Its intent is durable: send it.
    Send(Box<Departure>),
}

/// A message whose intent is durable.
pub struct Departure {
    /// The attempt.
    pub attempt: AttemptId,
    /// The request it is made for.
    pub request: RequestId,
    /// To whom.
    pub debtor: DebtorKey,
    /// The message.
    pub message: Outgoing,
    /// Who carries it.
    pub carrier: Arc<Carrier>,
    /// Its place at the provider, held until the provider has answered.
    pub slot: Slot,
    /// By which its outcome says something of the provider.
    pub ticket: Ticket,
}
