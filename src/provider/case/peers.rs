//! Cases of what is neither a message over HTTP nor a callback: a question about a message, and a short message centre.

use crate::provider::callback::CallbackEvent;
use crate::provider::case::{Case, WrittenQuestion};
use crate::provider::expected::differences;
use crate::provider::manifest::Manifest;
use crate::provider::poll::Answered;
use crate::provider::settings::Settings;
use crate::provider::smpp;
use crate::provider::smpp::plan::Plan;
use std::sync::Arc;

impl Case {
    pub(super) fn run_question(
        &self,
        manifest: &Manifest,
        settings: &Settings,
        asked: &WrittenQuestion,
        wrong: &mut Vec<String>,
    ) {
        let WrittenQuestion { attempt, reference } = asked;
        let question = manifest.question(*attempt, reference.as_deref(), settings, self.at());
        let (Some(request), Some(response)) = (question, self.response()) else {
            return wrong.push(
                "there is no question: a [poll] that needs no `reference`, or one that is given".to_owned(),
            );
        };
        if let Some(expected) = &self.written.request {
            wrong.extend(differences(expected, &request));
        }
        match manifest.answered(*attempt, reference.as_deref(), &response) {
            Answered::Said(said) => self.compare_events(&[CallbackEvent::Delivery(said)], wrong),
            Answered::Nothing(_) | Answered::Patience(_) => self.compare_events(&[], wrong),
        }
        let secret = |hidden: &&String| settings.secrets().any(|secret| secret == hidden.as_str());
        let shown = request.shown(settings);
        if self.written.hidden.iter().filter(secret).any(|hidden| shown.contains(hidden)) {
            wrong.push("something hidden is printed".to_owned());
        }
    }

    pub(super) fn run_centre(&self, manifest: &Manifest, settings: &Settings, wrong: &mut Vec<String>) {
        let plan = match Plan::new(&Arc::new(manifest.clone()), settings) {
            Ok(plan) => plan,
            Err(unusable) => return wrong.push(format!("[smpp] {unusable}")),
        };
        if self.written.message.is_some() {
            match self.message(manifest) {
                Some(message) if self.written.submits.is_empty() => drop(message),
                Some(message) => {
                    wrong.extend(smpp::case::differences(&plan, &message, &self.written.submits))
                }
                None => wrong.push("`to` is no address of this channel".to_owned()),
            }
            match smpp::case::outcome(&plan, self.written.answer_pdu.as_deref().unwrap_or_default()) {
                Ok(outcome) if self.expects(&outcome) => {}
                Ok(outcome) => wrong.push(format!("the outcome is {outcome:?}")),
                Err(why) => wrong.push(why),
            }
        }
        let Some(deliver) = &self.written.deliver else { return };
        match (smpp::case::heard(&plan, deliver), &self.written.refused) {
            (Ok(event), None) => self.compare_events(&[event], wrong),
            (Ok(_), Some(_)) => wrong.push("what is handed over should be refused, and is taken".to_owned()),
            (Err(why), Some(words)) if why.contains(words.as_str()) => {}
            (Err(why), _) => wrong.push(format!("what is handed over is refused: {why}")),
        }
    }
}
