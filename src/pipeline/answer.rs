//! What a caller hears of a decision: the answer with the point named and the policy that gave it.

use crate::domain::contact_point::PointValue;
use crate::domain::decision::{Decision, PolicyStamp};
use crate::domain::id::Pseudonymiser;
use crate::domain::state::DebtorState;
use crate::pipeline::naming;
use crate::policy::Policy;

/// A decision as a caller hears it.
#[derive(Clone, Debug)]
pub struct DecisionAnswer {
    /// The decision.
    pub decision: Decision,
    /// The value of the point it is about, if there is one on file.
    pub contact_point: Option<String>,
    /// The policy that gave it.
    pub policy: PolicyStamp,
}

/// Names the point of a decision by its value.
pub fn answer(
    names: &dyn Pseudonymiser,
    policy: &Policy,
    state: &DebtorState,
    decision: Decision,
) -> DecisionAnswer {
    let contact_point = decision.point.and_then(|key| {
        let file = state.file.as_ref()?;
        let values = file.contact_points.iter().filter_map(|p| PointValue::parse(p.kind, &p.value).ok());
        let mut found = values.filter(|value| naming::point(names, value) == key);
        found.next().map(|value| value.expose().to_owned())
    });
    DecisionAnswer { decision, contact_point, policy: policy.stamp() }
}
