//! The interpreter: where a call is, what was heard, and so what follows. The same for every vendor.

use crate::callflow::plan::NOTICE;
use crate::domain::call::{
    AnsweredBy, CallNode, CallOp, CallPhase, CallPlan, CallPosition, Detection, NodeKind, Speech, Spoken,
};

/// A call with more documents than this goes in circles.
const MOST_STEPS: u16 = 80;
/// How long a vendor may take to say who took a call, in seconds …
const HOLD_SECONDS: u16 = 5;
/// … and, in turns of so long, until an answering machine has spoken.
const GREETING_SECONDS: u16 = 10;
const GREETING_TURNS: u8 = 5;

/// What the vendor can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ability {
    /// When it tells who or what took the call.
    pub detection: Detection,
    /// Whether its documents can ask what comes next after something was said: then it is known that it was said whole.
    pub next: bool,
    /// Whether it can record from some point on.
    pub record: bool,
}

/// What is heard of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Who or what took it.
    pub answered_by: Option<AnsweredBy>,
    /// The keys pressed.
    pub keys: String,
    /// What was said, as far as it was understood.
    pub meant: Option<Meaning>,
    /// Whether the other end of a connection took it.
    pub transferred: Option<bool>,
}

/// What a person may say in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// No more calls.
    OptOut,
    /// Not me.
    WrongParty,
    /// I dispute it.
    Dispute,
    /// Call me back.
    CallBack,
    /// A person, please.
    Agent,
}

/// What must be recorded before the vendor is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The debtor is on the line.
    Conversation,
    /// The limited-content message was left.
    LimitedContent,
    /// No more calls to this number.
    OptOut,
    /// The number is not the debtor's.
    WrongParty,
    /// The debtor disputes.
    Dispute,
    /// The debtor wants to be called by a person.
    CallBack,
}

/// What follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The document.
    pub ops: Vec<CallOp<CallPosition>>,
    /// What must be recorded first.
    pub effects: Vec<Effect>,
}

/// What follows from what was heard where the call is.
pub fn step(plan: &CallPlan, at: &CallPosition, heard: &Heard, ability: Ability) -> Step {
    let mut walk = Walk { plan, ability, at: at.clone(), step: Step::default() };
    if at.step >= MOST_STEPS {
        walk.hang_up();
        return walk.step;
    }
    walk.at.step = at.step + 1;
    match at.phase {
        CallPhase::Answered => walk.answered(heard),
        CallPhase::Holding | CallPhase::Greeting => walk.held(heard),
        CallPhase::Node => walk.pressed(heard),
        CallPhase::Transferred => walk.transferred(heard),
        CallPhase::Limited => {
            walk.step.effects.push(Effect::LimitedContent);
            walk.hang_up();
        }
    }
    walk.step
}

struct Walk<'p> {
    plan: &'p CallPlan,
    ability: Ability,
    /// Where the document will leave the call.
    at: CallPosition,
    step: Step,
}

impl<'p> Walk<'p> {
    fn answered(&mut self, heard: &Heard) {
        match (heard.answered_by, self.ability.detection) {
            (Some(AnsweredBy::Human), _) | (None, Detection::Never) => self.start(),
            (Some(AnsweredBy::MachineGreeting), _) => self.hold(CallPhase::Greeting, 0),
            (Some(AnsweredBy::Machine | AnsweredBy::Unsure), _) | (None, Detection::AtAnswer) => {
                self.limited()
            }
            (None, Detection::Later) => self.hold(CallPhase::Holding, 0),
        }
    }

    /// In silence; a key is pressed by a person, and no word within the time leaves it in doubt.
    fn held(&mut self, heard: &Heard) {
        match heard.answered_by {
            Some(AnsweredBy::Human) => self.start(),
            Some(AnsweredBy::MachineGreeting) => self.hold(CallPhase::Greeting, 0),
            Some(AnsweredBy::Machine | AnsweredBy::Unsure) => self.limited(),
            None if self.at.phase == CallPhase::Holding && !heard.keys.is_empty() => self.start(),
            None if self.at.phase == CallPhase::Greeting && self.at.tries + 1 < GREETING_TURNS => {
                self.hold(CallPhase::Greeting, self.at.tries + 1);
            }
            None => self.limited(),
        }
    }

    fn start(&mut self) {
        let plan = self.plan;
        self.enter(&plan.start, true);
    }

    fn hold(&mut self, phase: CallPhase, tries: u8) {
        self.at.phase = phase;
        self.at.tries = tries;
        let seconds = if phase == CallPhase::Greeting { GREETING_SECONDS } else { HOLD_SECONDS };
        let (language, next) = (self.at.language.clone(), self.at.clone());
        self.step.ops.push(CallOp::Hold { seconds, language, next });
    }

    /// A key, words, or silence, at the node that was said last.
    fn pressed(&mut self, heard: &Heard) {
        let plan = self.plan;
        let Some(node) = plan.nodes.get(&self.at.node) else { return self.hang_up() };
        if let Some(meant) = heard.meant {
            return match self.meant(meant) {
                Some(target) => self.enter(target, true),
                None => self.again(node),
            };
        }
        let key = heard.keys.trim_matches('#').chars().next().map(String::from);
        match key {
            Some(key) if node.confirm.as_ref() == Some(&key) => {
                if !self.at.confirmed {
                    self.at.confirmed = true;
                    self.step.effects.push(Effect::Conversation);
                    self.notice();
                }
                self.go_on(node.next.as_deref());
            }
            Some(key) => match node.keys.get(&key).or_else(|| plan.keys.get(&key)) {
                Some(target) => self.enter(target, true),
                None => self.again(node),
            },
            // Having said what it had to say, it goes on by itself; only the right-party check waits for its answer.
            None if node.does != NodeKind::RightParty && node.next.is_some() => {
                self.go_on(node.next.as_deref())
            }
            None if matches!(node.does, NodeKind::CallBack | NodeKind::Dispute) => self.hang_up(),
            None => self.again(node),
        }
    }

    /// The first node that does what was said in words. Before somebody has said to be the debtor, only what ends the call:
    /// other nodes may speak of a debt.
    fn meant(&self, meant: Meaning) -> Option<&'p str> {
        if !self.at.confirmed && !matches!(meant, Meaning::OptOut | Meaning::WrongParty) {
            return None;
        }
        let does = match meant {
            Meaning::OptOut => NodeKind::OptOut,
            Meaning::WrongParty => NodeKind::WrongParty,
            Meaning::Dispute => NodeKind::Dispute,
            Meaning::CallBack => NodeKind::CallBack,
            Meaning::Agent => NodeKind::Transfer,
        };
        let found = self.plan.nodes.iter().find(|(_, node)| node.does == does);
        found.map(|(name, _)| name.as_str())
    }

    /// The node once more, as often as it may be said; then where else it leads.
    fn again(&mut self, node: &'p CallNode) {
        if self.at.tries < node.tries {
            let name = self.at.node.clone();
            return self.enter(&name, false);
        }
        match &node.otherwise {
            Some(target) => self.enter(target, true),
            None if self.at.confirmed => self.hang_up(),
            // Nobody said who is there: a machine may be listening.
            None => self.limited(),
        }
    }

    fn go_on(&mut self, next: Option<&str>) {
        match next {
            Some(next) => self.enter(next, true),
            None => self.hang_up(),
        }
    }

    fn notice(&mut self) {
        let plan = self.plan;
        let Some(notice) = plan.nodes.get(NOTICE).filter(|_| plan.recorded && self.ability.record) else {
            return;
        };
        self.say(&notice.say);
        self.step.ops.push(CallOp::Record);
    }

    /// Comes to a node: anew, or to say it once more.
    fn enter(&mut self, name: &str, anew: bool) {
        let plan = self.plan;
        let Some(node) = plan.nodes.get(name) else { return self.hang_up() };
        match node.does {
            // The flow was checked when it was loaded; this is the bolt behind that lock.
            NodeKind::Message if !self.at.confirmed => self.limited(),
            NodeKind::RightParty | NodeKind::Ask | NodeKind::Message => self.ask(name, node, anew),
            NodeKind::CallBack => {
                self.step.effects.extend(anew.then_some(Effect::CallBack));
                self.ask(name, node, anew);
            }
            NodeKind::Dispute => {
                self.step.effects.extend(anew.then_some(Effect::Dispute));
                self.ask(name, node, anew);
            }
            NodeKind::Transfer => self.transfer(name, node),
            NodeKind::OptOut => {
                self.step.effects.push(Effect::OptOut);
                self.hang_up();
            }
            NodeKind::WrongParty => {
                self.step.effects.push(Effect::WrongParty);
                self.say(&node.say);
                self.hang_up();
            }
            NodeKind::Language => self.change_language(node),
            NodeKind::LimitedContent => self.limited(),
            NodeKind::HangUp => {
                self.say(&node.say);
                self.hang_up();
            }
        }
    }

    fn ask(&mut self, name: &str, node: &CallNode, anew: bool) {
        self.at.tries = if anew { 1 } else { self.at.tries.saturating_add(1) };
        name.clone_into(&mut self.at.node);
        self.at.phase = CallPhase::Node;
        let before = node.again.get(&self.at.language).filter(|_| !anew);
        let words = node.say.get(&self.at.language).map(String::as_str).unwrap_or_default();
        let text = before.map_or_else(|| words.to_owned(), |before| format!("{before} {words}"));
        self.step.ops.push(CallOp::Ask {
            speech: Speech { language: self.at.language.clone(), text },
            digits: 1,
            wait_seconds: node.wait_seconds,
            listen: self.plan.speech,
            next: self.at.clone(),
        });
    }

    fn transfer(&mut self, name: &str, node: &CallNode) {
        let Some(to) = node.to.clone() else { return self.hang_up() };
        self.say(&node.say);
        name.clone_into(&mut self.at.node);
        self.at.phase = CallPhase::Transferred;
        let next = self.at.clone();
        self.step.ops.push(CallOp::Transfer { to, wait_seconds: node.wait_seconds, next });
    }

    /// A call that was taken at the other end was a conversation; one that was not goes on otherwise.
    fn transferred(&mut self, heard: &Heard) {
        let plan = self.plan;
        let node = plan.nodes.get(&self.at.node);
        if heard.transferred == Some(true) {
            self.step.effects.extend((!self.at.confirmed).then_some(Effect::Conversation));
            return self.go_on(node.and_then(|node| node.next.as_deref()));
        }
        self.go_on(node.and_then(|node| node.otherwise.as_deref()));
    }

    fn change_language(&mut self, node: &CallNode) {
        let languages: Vec<&String> = self.languages();
        let at = languages.iter().position(|tag| **tag == self.at.language).unwrap_or_default();
        let following = languages.get((at + 1) % languages.len().max(1)).map(|tag| (*tag).clone());
        if let Some(language) = node.language.clone().filter(|tag| languages.contains(&tag)).or(following) {
            self.at.language = language;
        }
        let back = self.at.node.clone();
        self.enter(&back, true);
    }

    fn languages(&self) -> Vec<&'p String> {
        self.plan.nodes.get(&self.plan.start).map(|node| node.say.keys().collect()).unwrap_or_default()
    }

    /// What an answering machine may hear (12 CFR 1006.2(j)): exactly that, or nothing.
    fn limited(&mut self) {
        let spoken = &self.plan.machine;
        let words = spoken.get(&self.at.language).or_else(|| spoken.values().next());
        let Some(text) = words.cloned() else { return self.hang_up() };
        self.step.ops.push(CallOp::Say(Speech { language: self.at.language.clone(), text }));
        if self.ability.next {
            self.at.phase = CallPhase::Limited;
            self.step.ops.push(CallOp::Next(self.at.clone()));
        } else {
            self.step.effects.push(Effect::LimitedContent);
        }
        self.hang_up();
    }

    fn say(&mut self, words: &Spoken) {
        if let Some(text) = words.get(&self.at.language) {
            let speech = Speech { language: self.at.language.clone(), text: text.clone() };
            self.step.ops.push(CallOp::Say(speech));
        }
    }

    fn hang_up(&mut self) {
        self.step.ops.push(CallOp::HangUp);
    }
}
