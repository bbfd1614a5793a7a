//! A call: its plan before it is placed, and what is said on it as the vendor asks. Where a call is travels in the addresses
//! that the vendor calls, under our seal; what follows from a key is recorded before the vendor is answered, as every reply.
//!
//! # Decisions
//! - 2026-11-23: a stop binds the number on every file that has it; what else is said on a call, and its words, are said on
//!   behalf of the one who was called, and go to that file alone.
//! - 2026-11-23: of what is said before anybody has said to be the debtor, only what restricts is recorded; after that
//!   everything that is understood, a promise as well.
//! - 2026-11-23: a stop or hold that is recorded while a call is under way ends it without a word, until somebody has said to be
//!   the debtor; what was pressed or said to restrict is recorded all the same.
//! - 2026-11-23: who says that the debtor has died, is bankrupt or has an attorney, or that nothing will be paid, is bidden
//!   farewell and handed to nobody: an agent would collect (12 CFR 1006.6(b)(2), (c); 11 USC 362(a)(6)).
//! - 2026-11-23: what cannot be recorded is tried again for about two seconds, and then the same question is asked again: most
//!   vendors end a call on a server's error, and with it a stop would be lost.
//! - 2026-11-23: a call that was taken, and ended before anybody said to be the debtor, counts as one that rang out: it was
//!   connected (comment 14(b)(3)(ii)-1), and nobody was told anything.

use crate::callflow::{self, Ability, Effect, Flow, Heard, Meaning, Values};
use crate::domain::attempt::AttemptStatus;
use crate::domain::call::{CallOp, CallPhase, CallPlace, CallPlan, CallPosition, CallStart, Spoken};
use crate::domain::channel::Channel;
use crate::domain::contact::ContactResult;
use crate::domain::event::{Actor, Stream};
use crate::domain::id::{AttemptId, DebtorKey, PointKey};
use crate::domain::intent::Intent;
use crate::domain::message::Content;
use crate::domain::outcome::FailureCause;
use crate::domain::state::DebtorState;
use crate::pipeline::called_off::Since;
use crate::pipeline::carriers::Carrier;
use crate::pipeline::receive::{self, Report};
use crate::pipeline::understanding::{Reply, Understood};
use crate::pipeline::unit::Unit;
use crate::pipeline::{Desk, Pipeline, Refusal, replies};
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
use std::sync::Arc;
use std::time::Duration;

/// How long after each failure what was pressed or said is recorded once more, in milliseconds.
const ONCE_MORE: [u64; 4] = [100, 300, 600, 1_000];

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
    /// A stop or a hold came after it was placed.
    called_off: bool,
}

impl Call {
    fn of(debtor: DebtorKey, id: AttemptId, state: &DebtorState, called_off: bool) -> Option<Self> {
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
            called_off,
        })
    }
}

/// What is to be recorded of a call before its vendor is answered.
struct Told {
    actor: Actor,
    debtor: DebtorKey,
    attempt: AttemptId,
    effects: Vec<Effect>,
    /// The keys, as a reply.
    pressed: Reply,
    spoken: Option<Understood>,
}

impl Told {
    fn is_news(&self) -> bool {
        !self.effects.is_empty() || self.spoken.as_ref().is_some_and(|said| !said.reading.found.is_empty())
    }
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
        let (provider, now) = (carrier.name.clone(), self.desk().clock.now());
        self.read(move |store| {
            let reader = store.reader()?;
            let row = match (attempt, reference) {
                (Some(id), _) => reader.attempt(id)?.filter(|row| row.provider == provider),
                (None, Some(reference)) => reader.provider_ref(&provider, &reference)?,
                (None, None) => None,
            };
            let Some(row) = row else { return Ok(None) };
            let history = reader.load(Stream::Debtor(row.debtor))?;
            let Some(since) = Since::own(&history, row.attempt) else { return Ok(None) };
            let since = since.and_elsewhere(&reader, row.debtor)?;
            let state = DebtorState::fold(history);
            Ok(Call::of(row.debtor, row.attempt, &state, since.bars(&state, now)))
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
        // Whoever takes a call may refuse; the rest is the debtor's to say, once somebody has said to be the debtor.
        let spoken = spoken.map(|said| if at.confirmed { said } else { said.restricting() });
        let over = call.called_off && !at.confirmed;
        let mut step = callflow::step::step(&call.plan, &at, &heard, ability(manifest));
        if over {
            step = step.cut_short(at.phase);
        }
        let actor = Actor::Provider(format!("{}/{}", carrier.channel, carrier.name));
        let (debtor, attempt) = (call.debtor, call.attempt);
        let told = Told { actor, debtor, attempt, effects: step.effects, pressed, spoken };
        let ops = match self.keep(told).await {
            Ok(()) => step.ops,
            Err(refusal) => {
                let asked = callflow::step::asked(&call.plan, &at).filter(|_| !over);
                vec![asked.ok_or(refusal)?]
            }
        };
        let ops: Vec<CallOp> =
            ops.into_iter().map(|op| op.placed(|at| place(self.desk(), carrier, &at))).collect();
        Ok(written(manifest, settings, &ops))
    }

    /// Records what a call told, more than once if the history is out of reach for a moment: the same again changes nothing.
    async fn keep(&self, told: Told) -> Result<(), Refusal> {
        if !told.is_news() {
            return Ok(());
        }
        let told = Arc::new(told);
        let mut waits = ONCE_MORE.into_iter();
        loop {
            let once = told.clone();
            match (self.file(move |unit| record(unit, &once).map(Ok)).await, waits.next()) {
                (Err(Refusal::Unavailable), Some(wait)) => {
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
                (kept, _) => return kept,
            }
        }
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
    } else if [Intent::Attorney, Intent::Bankruptcy, Intent::Deceased, Intent::Refusal].into_iter().any(says)
    {
        Some(Meaning::Barred)
    } else if says(Intent::Dispute) {
        Some(Meaning::Dispute)
    } else if says(Intent::CallBack) {
        Some(Meaning::CallBack)
    } else if says(Intent::Help) {
        Some(Meaning::Agent)
    } else {
        None
    }
}

/// Records what follows from a key or from words; the same again changes nothing.
fn record(unit: &mut Unit<'_>, told: &Told) -> Result<(), StorageError> {
    let Told { actor, debtor, attempt, effects, pressed, spoken } = told;
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
            receive::report(unit, actor, *debtor, *attempt, &concluded(result, reported))?;
        }
        if let Some(intent) = intent {
            heard = true;
            let by_key = by_key(pressed.clone(), intent);
            replies::receive_on_call(unit, actor, *debtor, spoken.as_ref().unwrap_or(&by_key))?;
        }
    }
    match spoken {
        Some(said) if !heard && !said.reading.found.is_empty() => {
            replies::receive_on_call(unit, actor, *debtor, said)
        }
        Some(_) | None => Ok(()),
    }
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
