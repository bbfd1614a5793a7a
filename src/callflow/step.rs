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
    /// The debtor has died, is bankrupt, is represented by an attorney, or refuses to pay: nobody may go on collecting
    /// (12 CFR 1006.6(b)(2), (c); 11 USC 362(a)(6)).
    Barred,
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

impl Step {
    /// The same where nothing may be said any more: the call ends, and what has happened counts all the same. `phase` is
    /// where the call was.
    #[must_use]
    pub fn cut_short(mut self, phase: CallPhase) -> Self {
        self.ops = vec![CallOp::HangUp];
        self.effects.retain(|effect| match effect {
            // Neither is true of what would only be said now.
            Effect::Conversation => phase == CallPhase::Transferred,
            Effect::LimitedContent => phase == CallPhase::Limited,
            Effect::OptOut | Effect::WrongParty | Effect::Dispute | Effect::CallBack => true,
        });
        self
    }
}

/// The question that a call is at, once more and as if it had not been answered; none where no question was asked.
pub fn asked(plan: &CallPlan, at: &CallPosition) -> Option<CallOp<CallPosition>> {
    let node = plan.nodes.get(&at.node).filter(|_| at.phase == CallPhase::Node)?;
    Some(ask(plan, node, String::new(), at.clone()))
}

fn ask(plan: &CallPlan, node: &CallNode, before: String, next: CallPosition) -> CallOp<CallPosition> {
    let words = node.say.get(&next.language).map(String::as_str).unwrap_or_default();
    let text = if before.is_empty() { words.to_owned() } else { format!("{before} {words}") };
    CallOp::Ask {
        speech: Speech { language: next.language.clone(), text },
        digits: 1,
        wait_seconds: node.wait_seconds,
        listen: plan.speech,
        next,
    }
}

/// How a call comes to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coming {
    /// Anew.
    Anew,
    /// Because it was not answered.
    Again,
    /// To hear it in another language: what it does was done when the call came to it.
    Translated,
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
        self.enter(&plan.start, Coming::Anew);
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
            if meant == Meaning::Barred {
                return self.take_leave();
            }
            return match self.meant(meant) {
                Some(target) => self.enter(target, Coming::Anew),
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
                Some(target) => self.enter(target, Coming::Anew),
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
            Meaning::Barred => NodeKind::HangUp,
        };
        let found = self.plan.nodes.iter().find(|(_, node)| node.does == does);
        found.map(|(name, _)| name.as_str())
    }

    /// The node once more, as often as it may be said; then where else it leads.
    fn again(&mut self, node: &'p CallNode) {
        if self.at.tries < node.tries {
            let name = self.at.node.clone();
            return self.enter(&name, Coming::Again);
        }
        match &node.otherwise {
            Some(target) => self.enter(target, Coming::Anew),
            None if self.at.confirmed => self.hang_up(),
            // Nobody said who is there: a machine may be listening.
            None => self.limited(),
        }
    }

    fn go_on(&mut self, next: Option<&str>) {
        match next {
            Some(next) => self.enter(next, Coming::Anew),
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

    /// Comes to a node.
    fn enter(&mut self, name: &str, coming: Coming) {
        let anew = coming == Coming::Anew;
        let plan = self.plan;
        let Some(node) = plan.nodes.get(name) else { return self.hang_up() };
        match node.does {
            // The flow was checked when it was loaded; this is the bolt behind that lock.
            NodeKind::Message if !self.at.confirmed => self.limited(),
            NodeKind::RightParty | NodeKind::Ask | NodeKind::Message => self.ask(name, node, coming),
            NodeKind::CallBack => {
                self.step.effects.extend(anew.then_some(Effect::CallBack));
                self.ask(name, node, coming);
            }
            NodeKind::Dispute => {
                self.step.effects.extend(anew.then_some(Effect::Dispute));
                self.ask(name, node, coming);
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

    fn ask(&mut self, name: &str, node: &CallNode, coming: Coming) {
        let again = coming == Coming::Again;
        self.at.tries = if again { self.at.tries.saturating_add(1) } else { 1 };
        name.clone_into(&mut self.at.node);
        self.at.phase = CallPhase::Node;
        let before = node.again.get(&self.at.language).filter(|_| again).cloned().unwrap_or_default();
        self.step.ops.push(ask(self.plan, node, before, self.at.clone()));
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
        self.enter(&back, Coming::Translated);
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

    /// Ends the call with the flow's word of farewell, if it has one.
    fn take_leave(&mut self) {
        let plan = self.plan;
        if let Some(node) = plan.farewell.as_ref().and_then(|name| plan.nodes.get(name)) {
            self.say(&node.say);
        }
        self.hang_up();
    }

    fn hang_up(&mut self) {
        self.step.ops.push(CallOp::HangUp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callflow::{Flow, Values};
    use crate::domain::fault::SourceFile;
    use std::collections::BTreeMap;

    const ABLE: Ability = Ability { detection: Detection::AtAnswer, next: true, record: true };

    fn plan(change: impl FnOnce(&mut Values)) -> CallPlan {
        let text = include_str!("../../config/ivr/standard.toml").to_owned();
        let flow = Flow::read(&SourceFile { path: "standard.toml".to_owned(), text }).expect("sound");
        let both = |en: &str, es: &str| {
            Spoken::from([("en", en), ("es", es)].map(|(k, v)| (k.to_owned(), v.to_owned())))
        };
        let names = ["collector.name", "collector.neutral_name", "collector.phone", "debtor.name"];
        let mut values = Values {
            names: names.map(|name| (name, format!("<{name}>"))).into(),
            messages: both("SECRET message.", "Mensaje SECRET."),
            machine: both("Limited.", "Limitado."),
            language: Some("en-US".to_owned()),
            lines: BTreeMap::from([
                ("agents", "+16145550100".to_owned()),
                ("payments", "+16145550102".to_owned()),
            ]),
            recorded: false,
        };
        change(&mut values);
        flow.plan(&values).expect("a plan")
    }

    /// A walk over some turns: what is said at each, and what was recorded on the way.
    struct Walker {
        plan: CallPlan,
        ability: Ability,
        at: CallPosition,
        effects: Vec<Effect>,
        ops: Vec<CallOp<CallPosition>>,
    }

    impl Walker {
        fn new(plan: CallPlan) -> Self {
            let attempt = "att_0198c0de000070008000000000000017".parse().expect("an id");
            let at = CallPosition::answered(attempt, plan.language.clone());
            Self { plan, ability: ABLE, at, effects: Vec::new(), ops: Vec::new() }
        }

        fn hear(&mut self, heard: &Heard) -> &mut Self {
            let step = step(&self.plan, &self.at, heard, self.ability);
            // The same again gives the same: nothing is kept in between.
            assert_eq!(step, super::step(&self.plan, &self.at, heard, self.ability));
            self.effects.extend(step.effects);
            self.ops = step.ops;
            let asked = self.ops.iter().find_map(|op| match op {
                CallOp::Ask { next, .. }
                | CallOp::Hold { next, .. }
                | CallOp::Transfer { next, .. }
                | CallOp::Next(next) => Some(next.clone()),
                CallOp::Say(_) | CallOp::Record | CallOp::HangUp => None,
            });
            self.at = asked.unwrap_or_else(|| self.at.clone());
            self
        }

        fn answered(&mut self, who: AnsweredBy) -> &mut Self {
            self.hear(&Heard { answered_by: Some(who), ..Heard::default() })
        }

        fn press(&mut self, keys: &str) -> &mut Self {
            self.hear(&Heard { keys: keys.to_owned(), ..Heard::default() })
        }

        fn mean(&mut self, meant: Meaning) -> &mut Self {
            self.hear(&Heard { meant: Some(meant), ..Heard::default() })
        }

        fn said(&self) -> String {
            let said = self.ops.iter().filter_map(|op| match op {
                CallOp::Say(speech) | CallOp::Ask { speech, .. } => Some(speech.text.as_str()),
                CallOp::Hold { .. }
                | CallOp::Transfer { .. }
                | CallOp::Record
                | CallOp::Next(_)
                | CallOp::HangUp => None,
            });
            said.collect::<Vec<_>>().join(" | ")
        }

        fn is_over(&self) -> bool {
            self.ops.last() == Some(&CallOp::HangUp)
        }
    }

    fn human() -> Walker {
        let mut walker = Walker::new(plan(|_| {}));
        walker.answered(AnsweredBy::Human);
        walker
    }

    #[test]
    fn the_right_party_hears_the_message_and_chooses() {
        let mut walk = human();
        assert!(walk.said().contains("press 9") && !walk.said().contains("SECRET"), "{}", walk.said());
        assert!(walk.press("1").said().starts_with("SECRET message. To talk"), "{}", walk.said());
        assert_eq!(walk.effects, [Effect::Conversation]);
        assert!(walk.press("7").said().contains("SECRET"));
        walk.press("2");
        assert!(
            matches!(&walk.ops[1], CallOp::Transfer { to, .. } if to == "+16145550102"),
            "{:?}",
            walk.ops
        );
        walk.hear(&Heard { transferred: Some(false), ..Heard::default() });
        assert!(walk.said().contains("Nobody can take"), "{}", walk.said());
        walk.press("3");
        assert_eq!(walk.effects, [Effect::Conversation, Effect::CallBack]);
        assert!(walk.press("").is_over());
    }

    #[test]
    fn a_stop_ends_the_call_at_once_from_every_node() {
        for way in [&[][..], &["1"], &["1", "5"], &["1", "3"], &["8"], &["4"]] {
            let mut walk = human();
            way.iter().for_each(|key| {
                walk.press(key);
            });
            walk.press("9");
            assert_eq!(
                (walk.effects.last(), walk.ops.as_slice()),
                (Some(&Effect::OptOut), &[CallOp::HangUp][..]),
                "{way:?}"
            );
        }
        assert_eq!(human().mean(Meaning::OptOut).effects, [Effect::OptOut]);
    }

    #[test]
    fn nobody_else_learns_anything() {
        let mut walk = human();
        assert!(walk.press("3").is_over() && walk.said().contains("We will not call this number"));
        assert_eq!(walk.effects, [Effect::WrongParty]);
        assert!(human().press("2").is_over());
        // Words that a key would not give yet do not give it either.
        for meant in [Meaning::Dispute, Meaning::Agent, Meaning::CallBack] {
            let mut walk = human();
            assert!(walk.mean(meant).said().starts_with("Sorry") && walk.effects.is_empty(), "{meant:?}");
        }
        // A position that lies about its node is of no use without the confirmation.
        let mut walk = human();
        walk.at.node = "message".to_owned();
        assert!(!walk.press("7").said().contains("SECRET"), "{}", walk.said());
    }

    #[test]
    fn a_mistake_is_told_and_silence_ends_in_the_limited_message() {
        let mut walk = human();
        assert!(
            walk.press("4").said().starts_with("Sorry, we did not understand. Hello."),
            "{}",
            walk.said()
        );
        assert!(walk.press("").said().starts_with("Sorry"));
        assert_eq!(walk.press("").said(), "Limited.");
        assert_eq!((walk.effects.as_slice(), walk.at.phase), (&[][..], CallPhase::Limited));
        assert!(walk.press("").is_over());
        assert_eq!(walk.effects, [Effect::LimitedContent]);
        let mut walk = human();
        walk.press("1").press("6");
        assert!(walk.said().starts_with("Sorry, that is not a choice. SECRET"), "{}", walk.said());
        assert!(walk.press("").is_over() && walk.said().contains("Goodbye"), "{}", walk.said());
    }

    #[test]
    fn machines_hear_the_limited_message_and_nothing_else() {
        for who in [AnsweredBy::Machine, AnsweredBy::Unsure] {
            let mut walk = Walker::new(plan(|_| {}));
            assert_eq!(walk.answered(who).said(), "Limited.");
        }
        // It is not known who took the call although it should be.
        assert_eq!(Walker::new(plan(|_| {})).press("").said(), "Limited.");
        // Where no such message can be written, nothing is said.
        let mut walk = Walker::new(plan(|values| values.machine.clear()));
        assert_eq!(walk.answered(AnsweredBy::Machine).ops, [CallOp::HangUp]);
        // Without a way to know that it was said whole, it counts as soon as it is begun.
        let mut walk = Walker::new(plan(|_| {}));
        walk.ability.next = false;
        assert_eq!(walk.answered(AnsweredBy::Machine).effects, [Effect::LimitedContent]);
    }

    #[test]
    fn who_took_the_call_may_be_told_later() {
        let later = || {
            let mut walk = Walker::new(plan(|_| {}));
            walk.ability.detection = Detection::Later;
            walk.press("");
            assert!(matches!(walk.ops.as_slice(), [CallOp::Hold { .. }]), "{:?}", walk.ops);
            walk
        };
        assert!(later().answered(AnsweredBy::Human).said().starts_with("Hello."));
        assert_eq!(later().answered(AnsweredBy::Machine).said(), "Limited.");
        assert_eq!(later().press("").said(), "Limited.", "nobody told in time");
        let mut walk = later();
        walk.answered(AnsweredBy::MachineGreeting);
        for _ in 1..GREETING_TURNS {
            assert!(matches!(walk.press("").ops.as_slice(), [CallOp::Hold { .. }]));
        }
        assert_eq!(walk.press("").said(), "Limited.");
        let mut never = Walker::new(plan(|_| {}));
        never.ability.detection = Detection::Never;
        assert!(never.press("").said().starts_with("Hello."));
    }

    #[test]
    fn spanish_is_a_key_away_and_the_language_on_file_comes_first() {
        let mut walk = human();
        assert!(walk.press("8").said().starts_with("Hola."));
        assert!(walk.press("1").said().starts_with("Mensaje SECRET."));
        assert!(walk.press("8").said().starts_with("SECRET message."));
        let mut walk = Walker::new(plan(|values| values.language = Some("es-MX".to_owned())));
        assert!(walk.answered(AnsweredBy::Human).said().starts_with("Hola."));
        // A message that has no Spanish words is not announced in Spanish.
        let mut walk = Walker::new(plan(|values| {
            values.messages.remove("es");
        }));
        assert!(walk.answered(AnsweredBy::Human).press("8").said().starts_with("Hello."));
    }

    #[test]
    fn recording_is_announced_before_it_begins_and_never_of_a_machine() {
        let mut walk = Walker::new(plan(|values| values.recorded = true));
        walk.answered(AnsweredBy::Human);
        assert!(!walk.ops.contains(&CallOp::Record));
        walk.press("1");
        assert!(
            matches!(&walk.ops[..2], [CallOp::Say(notice), CallOp::Record] if notice.text == "This call is recorded.")
        );
        let mut walk = Walker::new(plan(|values| values.recorded = true));
        assert!(!walk.answered(AnsweredBy::Machine).ops.contains(&CallOp::Record));
        let mut walk = Walker::new(plan(|values| values.recorded = true));
        walk.ability.record = false;
        assert_eq!(walk.answered(AnsweredBy::Human).press("1").ops.len(), 1, "a vendor that cannot record");
    }

    #[test]
    fn another_language_says_the_same_again_and_records_nothing() {
        for (key, effect) in [("3", Effect::CallBack), ("5", Effect::Dispute)] {
            let mut walk = human();
            walk.press("1").press(key);
            let english = walk.said();
            walk.press("8");
            assert_ne!(walk.said(), english);
            assert_eq!(walk.press("8").said(), english);
            assert_eq!(walk.effects, [Effect::Conversation, effect]);
        }
        // It may be heard as often as anew.
        let mut walk = human();
        walk.press("4").press("4").press("8");
        assert_eq!(walk.at.tries, 1);
        assert!(walk.said().starts_with("Hola."), "{}", walk.said());
    }

    #[test]
    fn whoever_may_not_be_collected_from_is_bidden_farewell() {
        for way in [&[][..], &["1"], &["1", "5"]] {
            let mut walk = human();
            way.iter().for_each(|key| {
                walk.press(key);
            });
            let before = walk.effects.clone();
            walk.mean(Meaning::Barred);
            assert_eq!(walk.said(), "Thank you. Goodbye.", "{way:?}");
            assert!(walk.is_over() && walk.ops.len() == 2 && walk.effects == before, "{way:?}");
        }
        let mut walk = human();
        walk.plan.farewell = None;
        assert_eq!(walk.mean(Meaning::Barred).ops, [CallOp::HangUp]);
    }

    #[test]
    fn a_call_cut_short_tells_what_happened_and_no_more() {
        let cut = |effects: &[Effect], phase| {
            let ops = vec![CallOp::Record];
            let step = Step { ops, effects: effects.to_vec() }.cut_short(phase);
            assert_eq!(step.ops, [CallOp::HangUp]);
            step.effects
        };
        use CallPhase::{Answered, Limited, Node, Transferred};
        assert_eq!(cut(&[Effect::Conversation], Node), []);
        assert_eq!(cut(&[Effect::Conversation], Transferred), [Effect::Conversation]);
        assert_eq!(cut(&[Effect::LimitedContent], Answered), []);
        assert_eq!(cut(&[Effect::LimitedContent], Limited), [Effect::LimitedContent]);
        assert_eq!(cut(&[Effect::OptOut], Node), [Effect::OptOut]);
        assert_eq!(cut(&[Effect::WrongParty], Node), [Effect::WrongParty]);
    }

    #[test]
    fn a_question_can_be_asked_once_more_as_it_was() {
        let mut walk = human();
        assert_eq!(walk.ops, [asked(&walk.plan, &walk.at).expect("a question")]);
        walk.press("1");
        assert_eq!(walk.ops, [asked(&walk.plan, &walk.at).expect("a question")]);
        walk.press("0");
        assert_eq!(asked(&walk.plan, &walk.at), None);
    }

    #[test]
    fn no_call_goes_on_for_ever() {
        let mut walk = human();
        let turns = (0..200).take_while(|_| !walk.press("8").is_over()).count();
        assert!(turns < usize::from(MOST_STEPS), "{turns}");
        let mut lost = human();
        lost.at.node = "gone".to_owned();
        assert!(lost.press("1").is_over());
    }
}
