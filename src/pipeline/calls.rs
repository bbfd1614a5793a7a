//! A call: its plan before it is placed, and what is said on it as the vendor asks. Where a call is travels in the addresses
//! that the vendor calls, under our seal; what follows from a key is recorded before the vendor is answered, as every reply.
//!
//! # Decisions
//! - 2026-11-23: a stop binds the number on every file that has it; what else is said on a call is said on behalf of the one
//!   who was called, and goes to that file alone.
//! - 2026-11-23: of what is said before anybody has said to be the debtor, only what restricts is recorded; after that
//!   everything that is understood, a promise as well.
//! - 2026-11-23: a call that was taken, and ended before anybody said to be the debtor, counts as one that rang out: it was
//!   connected (comment 14(b)(3)(ii)-1), and nobody was told anything.

use crate::callflow::{self, Ability, Effect, Flow, Heard, Meaning, Values};
use crate::domain::attempt::AttemptStatus;
use crate::domain::call::{CallOp, CallPhase, CallPlace, CallPlan, CallPosition, CallStart, Spoken};
use crate::domain::channel::Channel;
use crate::domain::consent::HoldKind;
use crate::domain::contact::ContactResult;
use crate::domain::event::Actor;
use crate::domain::id::{AttemptId, DebtorKey, PointKey};
use crate::domain::intent::Intent;
use crate::domain::message::Content;
use crate::domain::outcome::FailureCause;
use crate::domain::state::{AttemptState, DebtorState};
use crate::pipeline::carriers::Carrier;
use crate::pipeline::receive::{self, Report};
use crate::pipeline::understanding::{Reply, Understood};
use crate::pipeline::unit::Unit;
use crate::pipeline::{Desk, Pipeline, Refusal, preview, replies};
use crate::provider::callback::CallReport;
use crate::provider::dialect::Written;
use crate::provider::manifest::Manifest;
use crate::reply::{Found, Reading, Stop};
use crate::storage::StorageError;
use crate::template::catalogue::Catalogue;
use crate::template::context::Context;
use crate::template::format;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What this installation's calls are made of.
#[derive(Clone, Debug, Default)]
pub struct Voice {
    /// The call flow; none where no call is placed but by the sandbox.
    pub flow: Option<Flow>,
    /// The number that `agents` stands for, E.164.
    pub agents: Option<String>,
    /// The number that `payments` stands for, E.164.
    pub payments: Option<String>,
    /// Whom a limited-content message asks for, instead of whom the flow names.
    pub ask_for: Option<String>,
    /// Whether calls are recorded.
    pub recorded: bool,
}

/// Writes everything that may be said on one call; or says, without anything personal, why it can't be.
pub fn plan(
    templates: &Catalogue,
    voice: &Voice,
    template: &str,
    context: &Context<'_>,
    language: Option<&str>,
) -> Result<CallPlan, String> {
    let flow = voice.flow.as_ref().ok_or("there is no call flow: set `flow` under `[voice]`")?;
    let collector = context.collector;
    let spoken =
        |number: &str| format::spoken_digits(&format::phone(number).unwrap_or_else(|| number.to_owned()));
    let parts = |name: &crate::domain::debtor::Name| (name.given.clone(), name.family.clone());
    let (given, family) = context.name.map(parts).unwrap_or_default();
    let whole = [given.as_deref(), family.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let names = [
        ("collector.name", collector.name.clone()),
        ("collector.neutral_name", collector.neutral_name.clone()),
        ("collector.phone", collector.phone.as_deref().map(spoken)),
        ("debtor.given", given.clone()),
        ("debtor.name", (!whole.is_empty()).then_some(whole)),
    ];
    let agents = voice.agents.clone().or_else(|| collector.phone.clone());
    let lines = [("agents", agents.clone()), ("payments", voice.payments.clone().or(agents))];
    let values = Values {
        names: names.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        messages: scripts(templates, flow, template, context)?,
        machine: limited_content(templates, voice, flow, context),
        language: language.map(str::to_owned),
        lines: lines.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        recorded: voice.recorded,
    };
    flow.plan(&values).map_err(|error| error.to_string())
}

/// The message in each language that both it and the flow have words in.
fn scripts(
    templates: &Catalogue,
    flow: &Flow,
    template: &str,
    context: &Context<'_>,
) -> Result<Spoken, String> {
    let known: BTreeSet<&str> = templates.languages(template).collect();
    let both = flow.languages().iter().filter(|tag| known.contains(tag.as_str()));
    both.map(|tag| {
        let rendered = templates.render(template, Channel::Voice, Some(tag), context);
        match rendered.map_err(|error| error.to_string())?.content {
            Content::Voice { script, plan: _ } => Ok((tag.clone(), script)),
            Content::Email { .. } | Content::Sms { .. } | Content::Portal { .. } => {
                Err("the template has no words for a call".to_owned())
            }
        }
    })
    .collect()
}

/// What a machine hears, in each language in which it can be written.
fn limited_content(templates: &Catalogue, voice: &Voice, flow: &Flow, context: &Context<'_>) -> Spoken {
    let machine = flow.machine();
    let mut variables: Map<String, Value> =
        machine.variables.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    if let Some(person) = &voice.ask_for {
        variables.insert("ask_for".to_owned(), person.as_str().into());
    }
    let context = Context { disclosures: &[], variables: &variables, ..context.clone() };
    let written = flow.languages().iter().filter_map(|tag| {
        let rendered = templates.render(&machine.template, Channel::Voice, Some(tag), &context).ok()?;
        match rendered.content {
            Content::Voice { script, plan: _ } if rendered.language == *tag => Some((tag.clone(), script)),
            Content::Voice { .. } | Content::Email { .. } | Content::Sms { .. } | Content::Portal { .. } => {
                None
            }
        }
    });
    written.collect()
}

/// What a provider must know to place a call.
pub fn start(desk: &Desk, carrier: &Carrier, attempt: AttemptId, content: &Content) -> Option<CallStart> {
    let Content::Voice { script: _, plan: Some(plan) } = content else { return None };
    let at = CallPosition::answered(attempt, plan.language.clone());
    let human = Heard { answered_by: Some(crate::domain::call::AnsweredBy::Human), ..Heard::default() };
    let opening = callflow::step::step(plan, &at, &human, ability(carrier.vendor().0)).ops;
    let opening = opening.into_iter().map(|op| op.placed(|at| place(desk, carrier, &at))).collect();
    Some(CallStart { answer: place(desk, carrier, &at), opening })
}

fn ability(manifest: &Manifest) -> Ability {
    let dialect = manifest.dialect.as_ref();
    Ability {
        detection: manifest.detection(),
        next: dialect.is_some_and(|dialect| dialect.next.is_some()),
        record: dialect.is_some_and(|dialect| dialect.record.is_some()),
    }
}

/// Where the vendor asks what comes next, with the position under our seal.
fn place(desk: &Desk, carrier: &Carrier, at: &CallPosition) -> CallPlace {
    // A position is words and numbers: it always serialises.
    let written = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(at).unwrap_or_default());
    let state = format!("{written}.{}", desk.names.pseudonym("call", &written));
    let base = desk.settings.public_url.trim_end_matches('/');
    CallPlace { url: format!("{base}/callbacks/{}/{}/voice/{state}", carrier.channel, carrier.name), state }
}

/// The position that a state stands for, if the seal is ours.
fn opened(desk: &Desk, state: &str) -> Option<CallPosition> {
    let (written, seal) = state.split_once('.')?;
    let own = desk.names.pseudonym("call", written).to_string();
    let genuine = subtle::ConstantTimeEq::ct_eq(own.as_bytes(), seal.as_bytes());
    let position = BASE64_URL_SAFE_NO_PAD.decode(written).ok().filter(|_| bool::from(genuine))?;
    serde_json::from_slice(&position).ok()
}

/// A call under way, as the history knows it.
struct Call {
    debtor: DebtorKey,
    attempt: AttemptId,
    point: PointKey,
    to: String,
    plan: CallPlan,
    result: Option<ContactResult>,
    /// A stop or a demand to cease came after it was placed.
    stopped: bool,
}

impl Call {
    fn of(debtor: DebtorKey, id: AttemptId, state: &DebtorState) -> Option<Self> {
        let attempt = state.attempts.get(&id)?;
        let secret = attempt.message.open()?;
        let Content::Voice { script: _, plan: Some(plan) } = &secret.content else { return None };
        Some(Self {
            debtor,
            attempt: id,
            point: attempt.point?,
            to: secret.to.clone(),
            plan: plan.as_ref().clone(),
            result: attempt.result,
            stopped: stopped(state, attempt),
        })
    }
}

fn stopped(state: &DebtorState, attempt: &AttemptState) -> bool {
    let since = attempt.started_at;
    let stop = state.opt_outs.iter().any(|stop| {
        stop.received_at >= since
            && stop.channel.covers(Channel::Voice)
            && stop.point.is_none_or(|point| Some(point) == attempt.point)
    });
    stop || state
        .holds
        .iter()
        .any(|hold| hold.kind == HoldKind::Cease && hold.since >= since && hold.lifted_at.is_none())
}

impl Pipeline {
    /// What a vendor tells of a call under way, and what it is answered. None if it is no call of ours.
    ///
    /// # Errors
    /// The history is out of reach.
    pub(in crate::pipeline) async fn called(
        &self,
        carrier: &Carrier,
        url: &str,
        said: CallReport,
    ) -> Result<Option<Written>, Refusal> {
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let in_path = path.rsplit_once("/voice/").and_then(|(_, state)| opened(self.desk(), state));
        let told = in_path.or_else(|| opened(self.desk(), said.state.as_deref()?));
        let known = told.as_ref().map(|at| at.attempt).or(said.attempt);
        let Some(call) = self.call(carrier, known, said.provider_ref.clone()).await? else { return Ok(None) };
        let at = told.unwrap_or_else(|| CallPosition::answered(call.attempt, call.plan.language.clone()));
        let speech = said.speech.filter(|text| !text.trim().is_empty() && said.keys.is_empty());
        let heard = Heard {
            answered_by: said.answered_by,
            keys: said.keys,
            meant: None,
            transferred: said.connected,
        };
        self.go_on(carrier, call, at, heard, speech).await.map(Some)
    }

    /// What a vendor is answered that tells, after the first document, who or what took a call. None where nothing changes.
    ///
    /// # Errors
    /// The history is out of reach.
    pub(in crate::pipeline) async fn detected(
        &self,
        carrier: &Carrier,
        attempt: Option<AttemptId>,
        reference: Option<String>,
        who: crate::domain::call::AnsweredBy,
    ) -> Result<Option<Written>, Refusal> {
        let call = self.call(carrier, attempt, reference).await?;
        // What is known to have come of it is not undone by a machine's second thought.
        let Some(call) = call.filter(|call| call.result.is_none()) else { return Ok(None) };
        let mut at = CallPosition::answered(call.attempt, call.plan.language.clone());
        at.phase = CallPhase::Holding;
        let heard = Heard { answered_by: Some(who), ..Heard::default() };
        self.go_on(carrier, call, at, heard, None).await.map(Some)
    }

    async fn call(
        &self,
        carrier: &Carrier,
        attempt: Option<AttemptId>,
        reference: Option<String>,
    ) -> Result<Option<Call>, Refusal> {
        let provider = carrier.name.clone();
        self.read(move |store| {
            let reader = store.reader()?;
            let row = match (attempt, reference) {
                (Some(id), _) => reader.attempt(id)?.filter(|row| row.provider == provider),
                (None, Some(reference)) => reader.provider_ref(&provider, &reference)?,
                (None, None) => None,
            };
            let Some(row) = row else { return Ok(None) };
            let state = preview::fold(&reader, row.debtor)?;
            Ok(Call::of(row.debtor, row.attempt, &state))
        })
        .await
    }

    async fn go_on(
        &self,
        carrier: &Carrier,
        call: Call,
        mut at: CallPosition,
        mut heard: Heard,
        speech: Option<String>,
    ) -> Result<Written, Refusal> {
        let (manifest, settings) = carrier.vendor();
        if at.language.is_empty() {
            at.language.clone_from(&call.plan.language);
        }
        let untold = matches!(at.phase, CallPhase::Answered | CallPhase::Holding | CallPhase::Greeting);
        if call.stopped && untold {
            return Ok(written(manifest, settings, &[CallOp::HangUp]));
        }
        let reply = |text: String| Reply {
            channel: Channel::Voice,
            point: call.point,
            from: call.to.clone(),
            text,
            keyword: None,
            provider_ref: Some(format!("{}.{}.{}.{}", call.attempt, at.step, at.node, heard.keys)),
            answers: None,
        };
        let now = self.desk().clock.now();
        let spoken = match speech {
            Some(text) => Some(Understood::off_the_loop(reply(text), now).await?),
            None => None,
        };
        let pressed = reply(heard.keys.clone());
        if let Some(said) = &spoken {
            heard.meant = meaning(&said.reading);
            if heard.meant.is_none() {
                // Words that nobody understood are no silence: what was asked is asked again.
                heard.keys = "?".to_owned();
            }
        }
        let step = callflow::step::step(&call.plan, &at, &heard, ability(manifest));
        // Whoever takes a call may refuse; the rest is the debtor's to say, once somebody has said to be the debtor.
        let tells = |said: &Understood| {
            said.reading.found.iter().any(|found| at.confirmed || found.intent.is_restrictive())
        };
        if !step.effects.is_empty() || spoken.as_ref().is_some_and(tells) {
            let actor = Actor::Provider(format!("{}/{}", carrier.channel, carrier.name));
            let effects = step.effects.clone();
            let (debtor, attempt) = (call.debtor, call.attempt);
            self.file(move |unit| {
                record(unit, &actor, (debtor, attempt), &effects, &pressed, spoken.as_ref()).map(Ok)
            })
            .await?;
        }
        let ops: Vec<CallOp> =
            step.ops.into_iter().map(|op| op.placed(|at| place(self.desk(), carrier, &at))).collect();
        Ok(written(manifest, settings, &ops))
    }
}

/// What is answered about a call that is none of ours: it hears nothing, and ends.
pub(in crate::pipeline) fn over(carrier: &Carrier) -> Written {
    let (manifest, settings) = carrier.vendor();
    written(manifest, settings, &[CallOp::HangUp])
}

fn written(manifest: &Manifest, settings: &crate::provider::settings::Settings, ops: &[CallOp]) -> Written {
    // A manifest of calls has a dialect; `Manifest::read` has made sure.
    let silence = || Written { content_type: "text/plain".to_owned(), body: String::new() };
    manifest.document(ops, settings).unwrap_or_else(silence)
}

/// What somebody who speaks wants of the machine.
pub fn meaning(reading: &Reading) -> Option<Meaning> {
    let says = |intent| reading.says(intent);
    if reading.stop.is_some() {
        Some(Meaning::OptOut)
    } else if says(Intent::WrongNumber) {
        Some(Meaning::WrongParty)
    } else if says(Intent::Dispute) {
        Some(Meaning::Dispute)
    } else if says(Intent::CallBack) {
        Some(Meaning::CallBack)
    } else if says(Intent::Help) || reading.found.iter().any(|found| found.intent.is_restrictive()) {
        Some(Meaning::Agent)
    } else {
        None
    }
}

/// Records what follows from a key or from words; the same again changes nothing.
fn record(
    unit: &mut Unit<'_>,
    actor: &Actor,
    (debtor, attempt): (DebtorKey, AttemptId),
    effects: &[Effect],
    pressed: &Reply,
    spoken: Option<&Understood>,
) -> Result<(), StorageError> {
    let mut heard = false;
    for effect in effects {
        let (result, intent) = match effect {
            Effect::Conversation => (Some((ContactResult::Conversation, "right_party")), None),
            Effect::LimitedContent => (Some((ContactResult::LimitedContentMessage, "limited_content")), None),
            Effect::WrongParty => {
                (Some((ContactResult::WrongNumber, "wrong_party")), Some(Intent::WrongNumber))
            }
            Effect::OptOut => (None, Some(Intent::Stop)),
            Effect::Dispute => (None, Some(Intent::Dispute)),
            Effect::CallBack => (None, Some(Intent::CallBack)),
        };
        if let Some((result, reported)) = result {
            receive::report(unit, actor, debtor, attempt, &concluded(result, reported))?;
        }
        if let Some(intent) = intent {
            heard = true;
            let by_key = by_key(pressed.clone(), intent);
            hear(unit, actor, debtor, spoken.unwrap_or(&by_key))?;
        }
    }
    match spoken {
        Some(said) if !heard => hear(unit, actor, debtor, said),
        Some(_) | None => Ok(()),
    }
}

/// A stop closes the number wherever it is on file; the rest concerns the one who was called.
fn hear(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    said: &Understood,
) -> Result<(), StorageError> {
    if said.reading.stop.is_some() && replies::receive(unit, actor, said)? {
        return Ok(());
    }
    replies::receive_from(unit, actor, debtor, said)
}

/// What a key means: it needs no reading.
fn by_key(reply: Reply, intent: Intent) -> Understood {
    let found = Found { intent, span: 0..reply.text.len(), phrase: "key".to_owned() };
    let stop =
        (intent == Intent::Stop).then(|| Stop { named: BTreeSet::new(), here: true, everything: false });
    Understood { reply, reading: Reading { found: vec![found], stop, ..Reading::default() } }
}

/// What became of a call, as a receipt tells it.
fn concluded(result: ContactResult, reported: &str) -> Report {
    Report { result: Some(result), ..Report::of_call(result.status_of_call(), reported) }
}

impl Report {
    /// A receipt of a call that says nothing but this.
    pub(in crate::pipeline) fn of_call(status: AttemptStatus, reported: &str) -> Self {
        Self {
            status: Some(status),
            reported: reported.to_owned(),
            code: None,
            cause: FailureCause::Unspecified,
            complained: false,
            in_hand: false,
            result: None,
        }
    }
}
