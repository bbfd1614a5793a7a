//! A cadence as callers read it: the plan that it was begun with, its steps with their contact requests, and how it ended.

use crate::domain::cadence::{CadenceState, Ending, StopCondition};
use crate::domain::id::{CadenceId, RequestId};
use crate::domain::request::{ChannelChoice, RequestStatus};
use crate::domain::state::DebtorState;
use crate::domain::time::{Span, Timestamp};
use crate::pipeline::cadences;
use serde::Serialize;

/// Whether a cadence goes on.
#[derive(Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CadenceStatus)]
enum Status {
    /// It goes on.
    Active,
    /// Nothing more of it goes out.
    Ended,
}

/// Why a cadence ended.
#[derive(utoipa::ToSchema)]
#[schema(as = CadenceReason)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the wire form of domain::cadence::Ending")]
enum Reason {
    /// Its last step went out or ended.
    Completed,
    /// Its time ran out.
    Expired,
    /// Upstream took it back.
    Cancelled,
    /// The person was erased.
    Erased,
    /// A message that its next step needs did not go out, or came back.
    NotSent,
    /// The debtor wrote, pressed a key or called; a link that was opened is no reply.
    Reply,
    /// Somebody has talked with the debtor.
    Conversation,
    /// The debtor promised to pay.
    Promise,
    /// An account it is about was paid on, or the debtor says so.
    Payment,
    /// An account it is about was recalled or closed, or is no longer on file.
    AccountClosed,
    /// The debtor disputes.
    Dispute,
    /// The debtor said stop, to anything.
    OptOut,
    /// A hold was placed.
    Hold,
}

/// A cadence as of now.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Cadence)]
pub struct CadenceView {
    /// Our identifier.
    #[schema(value_type = String, example = "cad_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    id: CadenceId,
    /// Upstream's; null once the person is erased.
    #[schema(required)]
    cadence_id: Option<String>,
    /// The debtor; null once the person is erased.
    #[schema(required)]
    debtor_id: Option<String>,
    /// The accounts it is about; empty once the person is erased.
    account_ids: Vec<String>,
    status: Status,
    /// Why it ended; null while it goes on.
    #[schema(required, value_type = Option<Reason>)]
    reason: Option<Ending>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    ended_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When what is left of it is given up, if that was said.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    expires_at: Option<Timestamp>,
    /// The plan that it was begun with, and keeps.
    plan: PlanName,
    /// The plan's steps, in order.
    steps: Vec<StepView>,
}

/// Which version of which plan.
#[derive(Serialize, utoipa::ToSchema)]
struct PlanName {
    #[schema(example = "gentle-reminder")]
    name: String,
    /// Tells one version from another.
    digest: String,
    /// What ends it early.
    stop_on: Vec<StopCondition>,
}

/// A step, with its contact request once there is one.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CadenceStep)]
struct StepView {
    /// Which, from 1.
    step: u32,
    /// How long after the step before it went out or ended.
    #[schema(value_type = String, example = "P3D")]
    after: Span,
    /// Channels in order of preference.
    #[schema(value_type = Vec<String>)]
    channels: Vec<ChannelChoice>,
    /// Which step must have gone out before this one may; null where none must.
    #[schema(required)]
    needs: Option<u32>,
    template: String,
    /// Null while the steps before it are under way, and for ever where the cadence ended before.
    #[schema(required)]
    contact_request: Option<StepRequest>,
}

/// The contact request of a step.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CadenceContactRequest)]
struct StepRequest {
    /// Our identifier: `GET /v1/contact-requests/{id}` has the rest.
    #[schema(value_type = String, example = "req_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    id: RequestId,
    /// The cadence's identifier and the step; null once the person is erased.
    #[schema(required, example = "crm-cadence-77/2")]
    request_id: Option<String>,
    status: RequestStatus,
    /// From when it is due.
    #[schema(value_type = String, format = DateTime)]
    due_at: Timestamp,
    /// When it is given up.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl CadenceView {
    /// A cadence in its debtor's state.
    pub fn of(state: &DebtorState, id: CadenceId) -> Option<Self> {
        let cadence = state.cadences.get(&id)?;
        let CadenceState { enrolment, requests, started_at, ended, .. } = &**cadence;
        let words = requests.first().and_then(|first| state.requests.get(first)?.secret.open());
        let steps = enrolment.plan.steps.iter().zip(1..).enumerate();
        let steps = steps.map(|(index, (step, number))| StepView {
            step: number,
            after: step.after,
            channels: step.channels.clone(),
            needs: step.needs,
            template: step.template.clone(),
            contact_request: requests.get(index).and_then(|request| StepRequest::of(state, *request)),
        });
        Some(Self {
            id,
            cadence_id: cadences::cadence_id(state, cadence),
            debtor_id: state.debtor_id.clone(),
            account_ids: words.map(|words| words.account_ids.clone()).unwrap_or_default(),
            status: if cadence.is_live() { Status::Active } else { Status::Ended },
            reason: ended.map(|(ending, _)| ending),
            ended_at: ended.map(|(_, at)| at),
            started_at: *started_at,
            expires_at: enrolment.expires_at,
            plan: PlanName {
                name: enrolment.plan.name.clone(),
                digest: enrolment.plan.digest.clone(),
                stop_on: enrolment.plan.stop_on.clone(),
            },
            steps: steps.collect(),
        })
    }
}

impl StepRequest {
    fn of(state: &DebtorState, id: RequestId) -> Option<Self> {
        let request = state.requests.get(&id)?;
        Some(Self {
            id,
            request_id: request.secret.open().map(|words| words.request_id.clone()),
            status: request.status,
            due_at: request.order.not_before.unwrap_or(request.accepted_at),
            expires_at: request.order.expires_at,
        })
    }
}
