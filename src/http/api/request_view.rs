//! A contact request, its attempts and its messages as callers read them: the debtor's state in upstream's words.

use crate::domain::attempt::AttemptStatus;
use crate::domain::channel::{Channel, Purpose};
use crate::domain::id::{AttemptId, CadenceId, RequestId};
use crate::domain::message::Content;
use crate::domain::outcome::{FailureCause, FailureClass};
use crate::domain::request::{ChannelChoice, RequestStatus};
use crate::domain::state::{AttemptState, DebtorState};
use crate::domain::time::Timestamp;
use crate::http::api::decisions::DecisionView;
use crate::http::api::naming::Names;
use serde::Serialize;

/// A contact request as of now.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ContactRequestState)]
pub struct RequestView {
    /// Our identifier.
    #[schema(value_type = String, example = "req_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    id: RequestId,
    /// Upstream's; null once the person is erased.
    #[schema(required)]
    request_id: Option<String>,
    /// Where it stands.
    status: RequestStatus,
    /// The newest decision; null before the first.
    #[schema(required)]
    decision: Option<DecisionView>,
    /// What was tried, in order.
    attempts: Vec<AttemptView>,
    /// The cadence that it belongs to, if to any.
    #[serde(skip_serializing_if = "Option::is_none")]
    cadence: Option<PlaceView>,
}

/// Where a contact request stands in a cadence.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CadencePlace)]
struct PlaceView {
    /// The cadence.
    #[schema(value_type = String, example = "cad_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    id: CadenceId,
    /// Which step, from 1.
    step: u32,
}

/// One attempt.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Attempt)]
struct AttemptView {
    #[schema(value_type = String, example = "att_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    id: AttemptId,
    channel: Channel,
    /// To where; null once the person is erased.
    #[schema(required)]
    contact_point: Option<String>,
    /// Who carried it.
    provider: String,
    /// The provider's own identifier of it.
    #[schema(required)]
    provider_ref: Option<String>,
    status: AttemptStatus,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When its status last moved.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    finished_at: Option<Timestamp>,
    /// Why it did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<AttemptError>,
}

/// Why an attempt did not succeed.
#[derive(Serialize, utoipa::ToSchema)]
struct AttemptError {
    /// Whether it left: `never_left`, `refused`, `throttled`, `uncertain`.
    #[schema(value_type = String, example = "refused")]
    class: FailureClass,
    /// What it says of the address.
    #[schema(value_type = String, example = "invalid_address")]
    cause: FailureCause,
    /// The provider's code, or ours.
    #[schema(example = "30003")]
    code: String,
}

impl RequestView {
    /// A request in its debtor's state.
    pub fn of(state: &DebtorState, id: RequestId) -> Option<Self> {
        let request = state.requests.get(&id)?;
        let names = Names::of(state);
        let decision = request.decision.as_ref().map(|record| {
            let point = record.decision.point.and_then(|key| names.point(key)).map(str::to_owned);
            DecisionView::with(record.decision.clone(), point, record.policy.clone())
                .routed(record.routing.clone())
        });
        let attempts =
            request.attempts.iter().filter_map(|id| Some(AttemptView::of(*id, state.attempts.get(id)?)));
        Some(Self {
            id,
            request_id: request.secret.open().map(|secret| secret.request_id.clone()),
            status: request.status,
            decision,
            attempts: attempts.collect(),
            cadence: request.order.cadence.as_ref().map(|at| PlaceView { id: at.cadence, step: at.step }),
        })
    }
}

impl AttemptView {
    fn of(id: AttemptId, attempt: &AttemptState) -> Self {
        Self {
            id,
            channel: attempt.channel,
            contact_point: attempt.message.open().map(|message| message.to.clone()),
            provider: attempt.provider.clone(),
            provider_ref: attempt.provider_ref.clone(),
            status: attempt.status,
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
            error: attempt.failure.as_ref().map(|failure| AttemptError {
                class: failure.class,
                cause: failure.cause,
                code: failure.code.clone(),
            }),
        }
    }
}

/// A contact request in a list.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ListedContactRequest)]
pub struct RequestItem {
    #[serde(flatten)]
    request: RequestView,
    /// The debtor; null once the person is erased.
    #[schema(required)]
    debtor_id: Option<String>,
    /// The accounts it is about.
    account_ids: Vec<String>,
    #[schema(required)]
    campaign: Option<String>,
    /// Channels in order of preference.
    #[schema(value_type = Vec<String>)]
    channels: Vec<ChannelChoice>,
    purpose: Purpose,
    template: String,
    #[schema(value_type = String, format = DateTime)]
    accepted_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl RequestItem {
    /// A request in its debtor's state.
    pub fn of(state: &DebtorState, id: RequestId) -> Option<Self> {
        let request = state.requests.get(&id)?;
        let secret = request.secret.open();
        Some(Self {
            request: RequestView::of(state, id)?,
            debtor_id: state.debtor_id.clone(),
            account_ids: secret.map(|secret| secret.account_ids.clone()).unwrap_or_default(),
            campaign: secret.and_then(|secret| secret.campaign.clone()),
            channels: request.order.channels.clone(),
            purpose: request.order.purpose,
            template: request.order.template.clone(),
            accepted_at: request.accepted_at,
            expires_at: request.order.expires_at,
        })
    }
}

/// The message of one attempt, as sent.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AttemptMessage {
    #[schema(value_type = String, example = "att_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    attempt_id: AttemptId,
    status: AttemptStatus,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// To where; null once the person is erased.
    #[schema(required)]
    contact_point: Option<String>,
    /// BCP 47; null once the person is erased.
    #[schema(required)]
    language: Option<String>,
    /// The words; null once the person is erased.
    #[schema(required)]
    content: Option<Content>,
}

impl AttemptMessage {
    /// Those of a request, in order.
    pub fn all(state: &DebtorState, id: RequestId) -> Option<Vec<Self>> {
        let attempts = &state.requests.get(&id)?.attempts;
        let found = attempts.iter().filter_map(|id| state.attempts.get(id).map(|attempt| (*id, attempt)));
        Some(found.map(|(attempt_id, attempt)| Self::of(attempt_id, attempt)).collect())
    }

    fn of(attempt_id: AttemptId, attempt: &AttemptState) -> Self {
        let message = attempt.message.open();
        Self {
            attempt_id,
            status: attempt.status,
            started_at: attempt.started_at,
            contact_point: message.map(|message| message.to.clone()),
            language: message.map(|message| message.language.clone()),
            content: message.map(|message| message.content.clone()),
        }
    }
}
