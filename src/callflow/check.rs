//! What a call flow may not do, found before it is ever walked: above all, tell anybody of a debt who has not said to be the
//! debtor (15 USC 1692c(b), 12 CFR 1006.6(d)(1)).

use crate::callflow::flow::{Flow, Node, Words};
use crate::callflow::phrase::KEY;
use crate::domain::call::NodeKind;
use crate::domain::contact_point::{PointKind, PointValue};
use crate::domain::fault::{Fault, SourceFile};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The key that stops calls: the words of `templates/disclosures/opt-out-notice` name it.
pub const OPT_OUT_KEY: &str = "9";
/// The names that `to` may have beside a number.
pub const LINES: &[&str] = &["agents", "payments"];
/// More languages are not looked at.
const MOST_TRIES: u8 = 5;

/// Adds what is wrong with a flow to the faults.
pub(in crate::callflow) fn check(flow: &Flow, file: &SourceFile, faults: &mut Vec<Fault>) {
    let mut check = Check { flow, file, faults };
    check.head();
    for (name, node) in &flow.nodes {
        check.shape(name, node);
        check.targets(name, node);
        check.words(name, node);
    }
    if check.faults.is_empty() {
        check.opening();
        check.disclosure();
    }
}

struct Check<'c> {
    flow: &'c Flow,
    file: &'c SourceFile,
    faults: &'c mut Vec<Fault>,
}

impl Check<'_> {
    fn at(&mut self, line: usize, message: impl Into<String>) {
        self.faults.push(Fault::at(&self.file.path, line, message));
    }

    fn offset(&mut self, offset: usize, message: impl Into<String>) {
        self.at(Fault::line_of(&self.file.text, offset), message);
    }

    fn node(&mut self, name: &str, node: &Node, message: &str) {
        self.at(node.line, format!("node `{name}`: {message}"));
    }

    fn head(&mut self) {
        let head = &self.flow.head;
        let languages = &head.languages;
        let tag =
            |tag: &String| !tag.is_empty() && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let twice = languages.get_ref().iter().collect::<BTreeSet<_>>().len() < languages.get_ref().len();
        if languages.get_ref().is_empty() || !languages.get_ref().iter().all(tag) || twice {
            self.offset(languages.span().start, "`languages` must name each once, such as [\"en\", \"es\"]");
        }
        if head.version == 0 || head.summary.trim().is_empty() {
            self.at(1, "`version` starts at 1, and `summary` says what the flow is for");
        }
        if !self.flow.nodes.contains_key(head.start.get_ref()) {
            self.offset(head.start.span().start, format!("`start`: {}", self.nowhere(head.start.get_ref())));
        }
        if let Some(farewell) = &head.farewell {
            match self.flow.nodes.get(farewell.get_ref()) {
                Some(node) if node.kind == NodeKind::HangUp => {}
                Some(_) => {
                    self.offset(farewell.span().start, "`farewell` must name a node of kind hang_up");
                }
                None => {
                    let nowhere = self.nowhere(farewell.get_ref());
                    self.offset(farewell.span().start, format!("`farewell`: {nowhere}"));
                }
            }
        }
        if head.machine.get_ref().template.is_empty() {
            self.offset(head.machine.span().start, "[machine] needs its `template`");
        }
        let keys = head.keys.get_ref();
        for (key, target) in keys {
            if !is_key(key) {
                self.offset(target.span().start, format!("[keys]: `{key}` is no key: 0 to 9, or *"));
            } else if !self.flow.nodes.contains_key(target.get_ref()) {
                let nowhere = self.nowhere(target.get_ref());
                self.offset(target.span().start, format!("[keys] {key}: {nowhere}"));
            }
        }
        let stops = |target: &str| self.flow.nodes.get(target).is_none_or(|n| n.kind == NodeKind::OptOut);
        if !keys.get(OPT_OUT_KEY).is_some_and(|target| stops(target.get_ref())) {
            let message = format!(
                "[keys]: {OPT_OUT_KEY} must lead to a node of kind opt_out, at every node, as the opt-out notice says (47 CFR 64.1200(b)(3))"
            );
            self.offset(head.keys.span().start, message);
        }
        if let Some(recording) = &head.recording {
            self.every_language(
                Fault::line_of(&self.file.text, recording.span().start),
                "[recording]",
                recording.get_ref(),
            );
        }
    }

    fn nowhere(&self, target: &str) -> String {
        let known: Vec<&str> = self.flow.nodes.keys().map(String::as_str).collect();
        format!("there is no node `{target}`; there are {}", known.join(", "))
    }

    /// Whether a node has what its kind needs, and nothing that it would not heed.
    fn shape(&mut self, name: &str, node: &Node) {
        use NodeKind::{
            Ask, CallBack, Dispute, HangUp, Language, LimitedContent, Message, OptOut, RightParty, Transfer,
            WrongParty,
        };
        let kind = node.kind;
        let listens = matches!(kind, RightParty | Ask | Message | CallBack | Dispute);
        let rules: &[(&str, bool, bool, bool)] = &[
            // What, whether it is there, whether it may be, whether it must be.
            (
                "say",
                !node.say.is_empty(),
                !matches!(kind, OptOut | Language | LimitedContent),
                matches!(kind, RightParty | Ask | CallBack | Dispute),
            ),
            ("again", !node.again.is_empty(), listens, false),
            ("keys", !node.keys.is_empty(), listens, false),
            ("confirm", node.confirm.is_some(), kind == RightParty, kind == RightParty),
            ("next", node.next.is_some(), listens || kind == Transfer, kind == RightParty),
            ("otherwise", node.otherwise.is_some(), listens || kind == Transfer, false),
            ("to", node.to.is_some(), kind == Transfer, kind == Transfer),
            ("language", node.language.is_some(), kind == Language, false),
            ("wait", node.wait.is_some(), listens || kind == Transfer, false),
        ];
        for (what, there, may, must) in rules {
            if *there && !may {
                self.node(name, node, &format!("`{what}` is not heeded by {kind}"));
            } else if !there && *must {
                self.node(name, node, &format!("`{what}` is missing"));
            }
        }
        debug_assert!(
            listens || matches!(kind, Transfer | OptOut | WrongParty | Language | LimitedContent | HangUp)
        );
        if !(1..=MOST_TRIES).contains(&node.tries) {
            self.node(name, node, &format!("`tries` is 1 to {MOST_TRIES}"));
        }
        let longest = if kind == Transfer { 120 } else { 30 };
        if node.wait.is_some_and(|wait| !(1_000..=longest * 1_000).contains(&wait.as_millis())) {
            self.node(name, node, &format!("`wait` is PT1S to PT{longest}S"));
        }
        if let Some(to) = &node.to
            && !LINES.contains(&to.as_str())
            && PointValue::parse(PointKind::Phone, to).is_err()
        {
            self.node(
                name,
                node,
                &format!("`to` is {}, or a number such as \"+16145550100\"", LINES.join(" or ")),
            );
        }
        if let Some(language) = &node.language
            && !self.flow.languages().contains(language)
        {
            self.node(name, node, &format!("`language`: `{language}` is not among the flow's languages"));
        }
    }

    fn targets(&mut self, name: &str, node: &Node) {
        let onward = [("next", &node.next), ("otherwise", &node.otherwise)];
        let named = onward.into_iter().filter_map(|(what, target)| Some((what.to_owned(), target.as_ref()?)));
        let keyed = node.keys.iter().map(|(key, target)| (format!("key {key}"), target));
        for (what, target) in named.chain(keyed) {
            if !self.flow.nodes.contains_key(target) {
                let nowhere = self.nowhere(target);
                self.node(name, node, &format!("{what}: {nowhere}"));
            }
        }
        for key in node.keys.keys().chain(&node.confirm) {
            if !is_key(key) {
                self.node(name, node, &format!("`{key}` is no key: 0 to 9, or *"));
            } else if key == OPT_OUT_KEY {
                let message = format!(
                    "{OPT_OUT_KEY} stops calls at every node: take another key (47 CFR 64.1200(b)(3))"
                );
                self.node(name, node, &message);
            }
        }
        if node.confirm.as_ref().is_some_and(|key| node.keys.contains_key(key)) {
            self.node(name, node, "`confirm` and `keys` name the same key");
        }
    }

    fn words(&mut self, name: &str, node: &Node) {
        for (what, words) in [("say", &node.say), ("again", &node.again)] {
            self.every_language(node.line, &format!("node `{name}`: `{what}`"), words);
            for named in words.values().flat_map(|phrase| phrase.names()).filter_map(|n| n.strip_prefix(KEY))
            {
                let leads = (0..=9).map(|digit| digit.to_string()).chain(["*".to_owned()]);
                if !leads.into_iter().any(|key| self.flow.by_key(node, &key) == Some(named)) {
                    let message = format!("`{{{KEY}{named}}}`: no key leads from here to `{named}`");
                    self.at(node.line, format!("node `{name}`: {message}"));
                }
            }
        }
    }

    fn every_language(&mut self, line: usize, what: &str, words: &Words) {
        if words.is_empty() {
            return;
        }
        let languages = self.flow.languages();
        let missing: Vec<&str> =
            languages.iter().filter(|tag| !words.contains_key(*tag)).map(String::as_str).collect();
        let extra: Vec<&str> =
            words.keys().filter(|tag| !languages.contains(tag)).map(String::as_str).collect();
        if !missing.is_empty() {
            self.at(line, format!("{what} has no words in {}", missing.join(", ")));
        }
        if !extra.is_empty() {
            self.at(
                line,
                format!("{what} has words in {}, which `languages` does not name", extra.join(", ")),
            );
        }
    }

    /// A prerecorded call says at its beginning who calls, and right after it how to stop such calls.
    fn opening(&mut self) {
        let start = self.flow.head.start.get_ref();
        let Some(node) = self.flow.nodes.get(start) else { return };
        let stop =
            self.flow.head.keys.get_ref().get(OPT_OUT_KEY).map(|target| format!("{KEY}{}", target.get_ref()));
        let names = |phrase: &crate::callflow::phrase::Phrase, name: &str| phrase.names().any(|n| n == name);
        let silent = |name: &str| node.say.is_empty() || node.say.values().any(|phrase| !names(phrase, name));
        if silent("collector.neutral_name") {
            let message =
                "the first words must say who calls, as {collector.neutral_name} (47 CFR 64.1200(b)(1))";
            self.node(start, node, message);
        }
        if stop.as_ref().is_some_and(|stop| silent(stop)) {
            let stop = stop.unwrap_or_default();
            let message = format!(
                "the first words must say how to stop such calls, with {{{stop}}} (47 CFR 64.1200(b)(3))"
            );
            self.node(start, node, &message);
        }
    }

    /// No way from the start to a node that discloses, but over the key by which somebody says to be the debtor.
    fn disclosure(&mut self) {
        let flow = self.flow;
        let start = flow.head.start.get_ref().as_str();
        let mut came_from: BTreeMap<&str, (&str, String)> = BTreeMap::new();
        let mut confirmed: Vec<&str> = Vec::new();
        let mut seen: BTreeSet<&str> = BTreeSet::from([start]);
        let mut open = VecDeque::from([start]);
        // Whoever says "wrong number" in words comes there from anywhere, and so does who says what bars collection.
        let by_word =
            flow.nodes.iter().filter(|(_, node)| flow.head.speech && node.kind == NodeKind::WrongParty);
        let farewell = flow.head.farewell.iter().map(|name| name.get_ref().as_str());
        let anywhere = by_word.map(|(name, _)| name.as_str()).chain(farewell);
        open.extend(anywhere.filter(|name| seen.insert(name)));
        while let Some(name) = open.pop_front() {
            let Some(node) = flow.nodes.get(name) else { continue };
            if let Some(telling) = telling(node) {
                let way = way(&came_from, name);
                let message = format!("{telling}, and is reached without the right-party check: {way}");
                self.node(name, node, &message);
            }
            for (how, target) in ways_out(flow, node) {
                if node.kind == NodeKind::RightParty && how == "next" {
                    confirmed.push(target);
                } else if seen.insert(target) {
                    came_from.insert(target, (name, how));
                    open.push_back(target);
                }
            }
        }
        // Beyond the check everything may be said; what nobody ever comes to is a mistake.
        seen.extend(&confirmed);
        open.extend(confirmed);
        while let Some(name) = open.pop_front() {
            let Some(node) = flow.nodes.get(name) else { continue };
            open.extend(
                ways_out(flow, node).into_iter().map(|(_, target)| target).filter(|t| seen.insert(t)),
            );
        }
        for (name, node) in flow.nodes.iter().filter(|(name, _)| !seen.contains(name.as_str())) {
            self.node(name, node, "nothing leads here");
        }
    }
}

/// Why a node must not be heard by a stranger.
fn telling(node: &Node) -> Option<String> {
    if node.kind == NodeKind::Message {
        return Some("discloses the debt".to_owned());
    }
    let words = node.say.values().chain(node.again.values());
    words.filter_map(crate::callflow::phrase::Phrase::reveals).next().map(|word| format!("says `{word}`"))
}

fn ways_out<'f>(flow: &'f Flow, node: &'f Node) -> Vec<(String, &'f str)> {
    let onward = [("next", &node.next), ("otherwise", &node.otherwise)];
    let onward = onward.into_iter().filter_map(|(how, target)| Some((how.to_owned(), target.as_deref()?)));
    let own = node.keys.iter().map(|(key, target)| (format!("key {key}"), target.as_str()));
    let always = flow.head.keys.get_ref().iter();
    let always = always.map(|(key, target)| (format!("key {key}"), target.get_ref().as_str()));
    onward.chain(own).chain(always).collect()
}

fn way(came_from: &BTreeMap<&str, (&str, String)>, to: &str) -> String {
    let mut steps = vec![format!("`{to}`")];
    let mut at = to;
    while let Some((from, how)) = came_from.get(at) {
        steps.push(format!("`{from}` ({how})"));
        at = from;
    }
    steps.reverse();
    steps.join(" to ")
}

fn is_key(key: &str) -> bool {
    key.len() == 1 && key.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*')
}

#[cfg(test)]
mod tests {
    use crate::callflow::{Flow, Flows};
    use crate::domain::fault::SourceFile;

    const SOUND: &str = r#"summary = "a test"
version = 1
languages = ["en", "es"]
start = "greeting"
keys = { 9 = "stop", 8 = "language" }
machine = { template = "limited-content" }

[nodes.greeting]
kind = "right_party"
say.en = "This is {collector.neutral_name} for {debtor.name}. Press {key.stop} to stop. If it is you, press 1."
say.es = "Le llama {collector.neutral_name} para {debtor.name}. Oprima {key.stop} para no recibir más. Si es usted, 1."
confirm = "1"
next = "message"
keys = { 3 = "wrong" }

[nodes.message]
kind = "message"
keys = { 5 = "dispute" }

[nodes.dispute]
kind = "dispute"
say.en = "You dispute this debt."
say.es = "Usted disputa esta deuda."

[nodes.wrong]
kind = "wrong_party"

[nodes.stop]
kind = "opt_out"

[nodes.language]
kind = "language"
"#;

    fn faults(text: &str) -> Vec<String> {
        let file = SourceFile { path: "f.toml".to_owned(), text: text.to_owned() };
        let faults = Flow::read(&file).err().unwrap_or_default();
        faults.iter().map(ToString::to_string).collect()
    }

    /// The flow with some words changed, and the faults that it then has.
    #[track_caller]
    fn changed(from: &str, to: &str) -> Vec<String> {
        assert!(SOUND.contains(from), "{from}");
        faults(&SOUND.replacen(from, to, 1))
    }

    #[test]
    fn the_shipped_flow_and_the_fixture_are_sound() {
        assert_eq!(faults(SOUND), Vec::<String>::new());
        let text = include_str!("../../config/ivr/standard.toml").to_owned();
        let files = [SourceFile { path: "standard.toml".to_owned(), text }];
        let flows = Flows::load(&files).unwrap_or_else(|faults| panic!("{faults:#?}"));
        assert_eq!(flows.get("standard").map(Flow::version).as_deref(), Some("standard@2"));
    }

    /// However it is tried, what discloses is not reached but over the key by which somebody says to be the debtor.
    #[test]
    fn a_flow_that_could_disclose_earlier_does_not_load() {
        let reached = "is reached without the right-party check";
        for (from, to, line, way) in [
            ("start = \"greeting\"", "start = \"message\"", 16, "`message`"),
            ("3 = \"wrong\"", "3 = \"message\"", 16, "`greeting` (key 3) to `message`"),
            (
                "confirm = \"1\"",
                "confirm = \"1\"\notherwise = \"message\"",
                17,
                "`greeting` (otherwise) to `message`",
            ),
            ("8 = \"language\"", "8 = \"dispute\"", 20, "`greeting` (key 8) to `dispute`"),
            ("kind = \"right_party\"", "kind = \"ask\"", 15, "`greeting` (next) to `message`"),
        ] {
            let text = SOUND.replacen(from, to, 1);
            let text = if to.contains("ask") { text.replace("confirm = \"1\"\n", "") } else { text };
            let found = faults(&text);
            // The first words of a flow that begins elsewhere lack more than that.
            let told = found.iter().any(|fault| fault.contains(reached) && fault.ends_with(way));
            assert!(told, "{to}: {found:#?}");
            let here = format!("f.toml:{line}: ");
            assert!(
                found.iter().any(|fault| fault.starts_with(&here) && fault.contains(reached)),
                "{to}: {found:#?}"
            );
        }
        let farewell = SOUND.replacen("version = 1", "version = 1\nfarewell = \"bye\"", 1)
            + "\n[nodes.bye]\nkind = \"hang_up\"\nsay.en = \"Please pay. Goodbye.\"\nsay.es = \"Adiós.\"\n";
        let found = faults(&farewell);
        assert!(found.iter().any(|f| f.contains("node `bye`") && f.contains(reached)), "{found:#?}");
        for (words, telling) in [
            ("Si es usted, 1.", "Sobre su deuda: 1."),
            ("If it is you, press 1.", "To pay, press 1."),
            ("{collector.neutral_name} for", "{collector.neutral_name}, {collector.name}, for"),
        ] {
            let found = changed(words, telling);
            assert!(found.iter().any(|f| f.starts_with("f.toml:8: ") && f.contains(reached)), "{found:#?}");
        }
    }

    #[test]
    fn every_fault_has_its_line() {
        for (from, to, place, says) in [
            ("version = 1", "version = 0", "f.toml:1", "starts at 1"),
            ("[\"en\", \"es\"]", "[\"en\", \"en\"]", "f.toml:3", "each once"),
            ("start = \"greeting\"", "start = \"hello\"", "f.toml:4", "no node `hello`"),
            (
                "version = 1",
                "version = 1\nfarewell = \"gone\"",
                "f.toml:3",
                "`farewell`: there is no node `gone`",
            ),
            ("version = 1", "version = 1\nfarewell = \"stop\"", "f.toml:3", "a node of kind hang_up"),
            ("9 = \"stop\"", "9 = \"wrong\"", "f.toml:5", "9 must lead to a node of kind opt_out"),
            ("9 = \"stop\", ", "", "f.toml:5", "9 must lead"),
            ("8 = \"language\"", "88 = \"language\"", "f.toml:5", "is no key"),
            ("next = \"message\"", "next = \"nowhere\"", "f.toml:8", "no node `nowhere`"),
            ("next = \"message\"\n", "", "f.toml:8", "`next` is missing"),
            ("3 = \"wrong\"", "9 = \"wrong\"", "f.toml:8", "9 stops calls at every node"),
            ("3 = \"wrong\"", "1 = \"wrong\"", "f.toml:8", "same key"),
            ("Press {key.stop} to stop.", "", "f.toml:8", "how to stop such calls"),
            ("This is {collector.neutral_name}", "This is a call", "f.toml:8", "who calls"),
            (
                "{key.stop} to stop",
                "{key.dispute} to stop",
                "f.toml:8",
                "no key leads from here to `dispute`",
            ),
            ("kind = \"message\"", "kind = \"message\"\ntries = 9", "f.toml:16", "`tries` is 1 to 5"),
            (
                "kind = \"message\"",
                "kind = \"message\"\nwait = \"PT2M\"",
                "f.toml:16",
                "`wait` is PT1S to PT30S",
            ),
            ("kind = \"message\"", "kind = \"mesage\"", "f.toml:17", "unknown variant `mesage`"),
            ("say.es = \"Usted disputa esta deuda.\"\n", "", "f.toml:20", "no words in es"),
            (
                "kind = \"opt_out\"",
                "kind = \"opt_out\"\nsay.en = \"Bye\"",
                "f.toml:28",
                "`say` is not heeded by opt_out",
            ),
            (
                "kind = \"wrong_party\"",
                "kind = \"transfer\"\nto = \"nobody\"",
                "f.toml:25",
                "`to` is agents or payments",
            ),
            ("5 = \"dispute\"", "5 = \"stop\"", "f.toml:20", "nothing leads here"),
        ] {
            let found = changed(from, to);
            let told =
                found.iter().any(|fault| fault.starts_with(&format!("{place}: ")) && fault.contains(says));
            assert!(told, "{to}: {found:#?}");
        }
        // Faults of several nodes come together.
        let both =
            SOUND.replace("kind = \"message\"", "kind = \"x\"").replace("kind = \"language\"", "knid = 1");
        assert_eq!(faults(&both).len(), 2, "{:#?}", faults(&both));
        assert!(faults("summary = ").iter().all(|fault| fault.starts_with("f.toml:1: ")));
    }
}
