//! What a call under way tells, and what its callback must say for that.

use crate::domain::call::AnsweredBy;
use crate::domain::id::AttemptId;
use crate::provider::callback::{CallReport, DeliveryStatus};
use crate::provider::extract::Document;
use crate::provider::reading::CallbackSpec;

impl CallbackSpec {
    pub(in crate::provider) fn faults_of_calls(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.keys.is_empty() {
            faults.push("`keys` is missing: where do the keys stand that were pressed?".to_owned());
        }
        if self.answered_by.is_empty() != self.answers.is_empty() {
            faults.push(
                "`answered_by` and `answers` go together: where the word stands, and what it means"
                    .to_owned(),
            );
        }
        if self.connected.is_empty() {
            faults.push(
                "`connected` is missing: how is it told whether a transferred call was taken?".to_owned(),
            );
        }
        if self.acknowledge.is_some() {
            faults.push("`acknowledge` has no place here: the answer is the next document".to_owned());
        }
        if self.events.is_some() || self.also.is_some() {
            faults.push("a call tells one thing at a time: leave out `events` and `also`".to_owned());
        }
        faults
    }

    /// Whether its first callback tells who or what took the call.
    pub(in crate::provider) fn tells_who_answered(&self) -> bool {
        !self.answered_by.is_empty()
    }

    /// Every status that it may come to.
    pub(in crate::provider) fn possible(&self) -> impl Iterator<Item = DeliveryStatus> {
        self.statuses.values().copied().chain(self.rules.iter().map(|rule| rule.status))
    }

    /// Whether it tells, some time after a call was taken, who or what took it.
    pub(in crate::provider) fn tells_of_machines(&self) -> bool {
        self.possible().any(|status| status.answered_by().is_some())
    }

    pub(in crate::provider) fn call(&self, event: &Document<'_>, provider_ref: Option<String>) -> CallReport {
        let who = |word: String| self.answers.get(&word).copied().unwrap_or(AnsweredBy::Unsure);
        let keys = self.keys.read(event).unwrap_or_default();
        CallReport {
            provider_ref,
            attempt: self.attempt.find_map(event, |text| AttemptId::handed_back(&text)),
            state: self.state.read(event),
            answered_by: self.answered_by.read(event).map(who),
            keys: keys.chars().filter(|c| c.is_ascii_digit() || "*#".contains(*c)).take(32).collect(),
            speech: self.speech.read(event).map(|text| text.chars().take(1_000).collect()),
            connected: Some(self.connected.iter().all(|condition| condition.holds(event))),
        }
    }
}
