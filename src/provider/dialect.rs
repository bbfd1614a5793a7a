//! How a voice vendor writes what a call is to do: TwiML, NCCO and their like, as `[dialect]` of its manifest.
//!
//! Each thing that a machine does on a line (`domain::call::CallOp`) has one template, in XML or in JSON; a document is their
//! results in order, within the template of the whole.

use crate::domain::call::{AnsweredBy, CallOp, CallPlace, Detection, Speech};
use crate::provider::callback::{CallbackKind, DeliveryStatus};
use crate::provider::filter;
use crate::provider::json::Filling;
use crate::provider::manifest::Manifest;
use crate::provider::placeholder::{Place, Template};
use crate::provider::send::{JsonTemplate, Test};
use crate::provider::settings::Settings;
use crate::provider::xml;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

/// One template.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Writing {
    /// XML; every value is escaped.
    Xml(Template),
    /// JSON; a list stands for several elements of the document.
    Json(JsonTemplate),
}

impl Writing {
    /// Every template in it.
    pub(in crate::provider) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Xml(template) => vec![template],
            Self::Json(json) => json.templates(),
        }
    }

    /// What its `$when` and `$unless` ask for.
    pub(in crate::provider) fn tests(&self) -> Vec<&Test> {
        match self {
            Self::Xml(_) => Vec::new(),
            Self::Json(json) => json.tests(),
        }
    }
}

/// A vendor's dialect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// The type of its documents.
    pub content_type: String,
    /// What the vendor calls languages; one that is not here is called as it is.
    #[serde(default)]
    pub languages: BTreeMap<String, String>,
    /// What `{input}` is: how the vendor calls what it is to listen to.
    pub inputs: Option<Inputs>,
    /// The voice for each language, where one is to be named.
    #[serde(default)]
    pub voices: BTreeMap<String, String>,
    /// The most characters that it says in one piece; what is longer is said in several.
    pub longest_text: Option<usize>,
    /// The whole, around `{ops}`; or around `{ops}` and `{last_op}`, where the vendor has one place for what ends a document
    /// and another for what comes before it.
    pub document: Spanned<Writing>,
    /// Says `{text}`.
    pub say: Spanned<Writing>,
    /// Says `{text}` within a question; as `say`, where absent.
    pub prompt: Option<Spanned<Writing>>,
    /// Says `{prompt}` and waits for keys.
    pub ask: Spanned<Writing>,
    /// Waits in silence.
    pub hold: Option<Spanned<Writing>>,
    /// Connects to another number.
    pub transfer: Spanned<Writing>,
    /// Records from here on.
    pub record: Option<Spanned<Writing>>,
    /// Asks what comes next.
    pub next: Option<Spanned<Writing>>,
    /// Ends the call; the end of the document does, where absent.
    pub hang_up: Option<Spanned<Writing>>,
}

/// How a vendor calls what it is to listen to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Keys alone.
    pub keys: String,
    /// Keys and speech.
    pub both: String,
}

/// A document as the vendor is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its type.
    pub content_type: String,
    /// Its text.
    pub body: String,
}

const PLACE: &[&str] = &["next_url", "next_state"];
const SPEECH: &[&str] = &["text", "language", "voice"];

impl Dialect {
    /// Each template with its name, and what it may name beside the settings.
    fn writings(&self) -> Vec<(&'static str, &Spanned<Writing>, Vec<&'static str>)> {
        let with = |words: &[&'static str]| words.to_vec();
        let ask = ["prompt", "digits", "wait_seconds", "listen", "input"];
        let ask = [&ask[..], SPEECH, PLACE].concat();
        let hold = [&["seconds", "language", "voice"][..], PLACE].concat();
        let transfer = [&["to", "wait_seconds"][..], PLACE].concat();
        let always = [
            ("document", &self.document, with(&["ops", "last_op"])),
            ("say", &self.say, with(SPEECH)),
            ("ask", &self.ask, ask),
            ("transfer", &self.transfer, transfer),
        ];
        let maybe = [
            ("prompt", &self.prompt, with(SPEECH)),
            ("hold", &self.hold, hold),
            ("record", &self.record, Vec::new()),
            ("next", &self.next, with(PLACE)),
            ("hang_up", &self.hang_up, Vec::new()),
        ];
        let maybe =
            maybe.into_iter().filter_map(|(name, writing, words)| Some((name, writing.as_ref()?, words)));
        always.into_iter().chain(maybe).collect()
    }

    /// Every template in it, with where it stands and what it and its tests may name.
    pub(in crate::provider) fn used(&self) -> Vec<(Range<usize>, &Writing, Vec<&'static str>)> {
        self.writings()
            .into_iter()
            .map(|(_, writing, words)| (writing.span(), writing.get_ref(), words))
            .collect()
    }

    /// What is wrong with it beyond its names, in words, with where.
    pub(in crate::provider) fn faults(&self, detection: Detection) -> Vec<(Range<usize>, String)> {
        let mut faults = Vec::new();
        let is_xml = |writing: &Writing| matches!(writing, Writing::Xml(_));
        let whole = is_xml(self.document.get_ref());
        for (name, writing, words) in self.writings() {
            if is_xml(writing.get_ref()) != whole {
                let message = format!(
                    "[dialect] `{name}` must be written as `document` is: all in xml, or all in json"
                );
                faults.push((writing.span(), message));
                continue;
            }
            let templates = writing.get_ref().templates();
            let names = |wanted: &str| templates.iter().any(|template| template.names().any(|n| n == wanted));
            for needed in ["ops", "text", "prompt", "to"] {
                // A question is said as `{prompt}`, or by a vendor that takes words alone as `{text}`.
                let said = name == "ask" && (needed == "text" || names("text"));
                if words.contains(&needed) && !names(needed) && !said {
                    faults.push((writing.span(), format!("[dialect] `{name}` has no `{{{needed}}}`")));
                }
            }
            if words.contains(&"next_url") && !names("next_url") && !names("next_state") {
                let message = format!(
                    "[dialect] `{name}` has neither `{{next_url}}` nor `{{next_state}}`: how would the vendor ask what comes next?"
                );
                faults.push((writing.span(), message));
            }
        }
        if detection == Detection::Later && self.hold.is_none() {
            let message = "[dialect] `hold` is missing: who took the call is told after the first document, which must wait for it";
            faults.push((self.document.span(), message.to_owned()));
        }
        if self.ends_apart() && self.hang_up.is_none() {
            let message =
                "[dialect] `hang_up` is missing: `{last_op}` would be something else where a call ends";
            faults.push((self.document.span(), message.to_owned()));
        }
        if self.longest_text.is_some_and(|longest| longest < 100) {
            faults.push((self.document.span(), "[dialect] `longest_text` is 100 or more".to_owned()));
        }
        if faults.is_empty() {
            faults.extend(self.sample_fault().map(|message| (self.document.span(), message)));
        }
        faults
    }

    /// What is wrong with a document of everything, where it is XML.
    fn sample_fault(&self) -> Option<String> {
        let place = CallPlace { url: "https://gw.example.com/a?b=c&d=e".to_owned(), state: "s".to_owned() };
        let speech = Speech { language: "en".to_owned(), text: "Sample <text> & more".to_owned() };
        let ops = [
            CallOp::Say(speech.clone()),
            CallOp::Ask { speech, digits: 1, wait_seconds: 5, listen: true, next: place.clone() },
            CallOp::Hold { seconds: 5, language: "en".to_owned(), next: place.clone() },
            CallOp::Record,
            CallOp::Transfer { to: "+13055550117".to_owned(), wait_seconds: 20, next: place.clone() },
            CallOp::Next(place),
            CallOp::HangUp,
        ];
        let Writing::Xml(_) = self.document.get_ref() else { return None };
        // Where one thing ends a document, each of them does.
        let documents: Vec<&[CallOp]> =
            if self.ends_apart() { ops.chunks(1).collect() } else { vec![ops.as_slice()] };
        let mut written = documents.into_iter().map(|ops| self.write(ops, &Settings::default()).body);
        written
            .find_map(|body| xml::fault(&body))
            .map(|why| format!("[dialect]: its documents are not well-formed: {why}"))
    }

    /// Whether what ends a document has a place of its own.
    fn ends_apart(&self) -> bool {
        let templates = self.document.get_ref().templates();
        templates.iter().any(|template| template.names().any(|name| name == "last_op"))
    }

    /// The document of these.
    pub fn write(&self, ops: &[CallOp], settings: &Settings) -> Written {
        let content_type = self.content_type.clone();
        let apart = self.ends_apart();
        // What comes behind one that makes the vendor ask again is for vendors that fall through.
        let end = ops.iter().position(leads_on).filter(|_| apart);
        let ops = end.and_then(|end| ops.get(..=end)).unwrap_or(ops);
        let body = match self.document.get_ref() {
            Writing::Xml(document) => {
                let mut inner: Vec<String> = ops.iter().flat_map(|op| self.xml(op, settings)).collect();
                let last = if apart { inner.pop() } else { None }.unwrap_or_default();
                let inner = inner.concat();
                let name = |name: &str| match name {
                    "ops" => Some(Cow::from(inner.as_str())),
                    "last_op" => Some(Cow::from(last.as_str())),
                    _ => None,
                };
                let whole =
                    document.render(Place::Plain, |n| name(n).or_else(|| escaped(settings.get(n)?.into())));
                xml::without_empty_attributes(&whole)
            }
            Writing::Json(document) => {
                let mut inner: Vec<Value> = ops.iter().flat_map(|op| self.json(op, settings)).collect();
                let last = if apart { inner.pop() } else { None };
                let value = |name: &str| settings.get(name).map(Cow::from);
                let whole = |name: &str| match name {
                    "ops" => Some(Value::Array(inner.clone())),
                    "last_op" => last.clone(),
                    _ => None,
                };
                // A call that is to end has an empty document, and that is one too.
                let empty = || Value::Array(Vec::new());
                Filling { value: &value, whole: &whole }.fill(document).unwrap_or_else(empty).to_string()
            }
        };
        Written { content_type, body }
    }

    fn xml(&self, op: &CallOp, settings: &Settings) -> Vec<String> {
        let Some((writing, words)) = self.chosen(op) else { return Vec::new() };
        let Writing::Xml(template) = writing else { return Vec::new() };
        let prompt: String = match op {
            CallOp::Ask { speech, .. } => {
                self.pieces(speech).map(|piece| self.xml_prompt(&piece, settings)).collect()
            }
            _ => String::new(),
        };
        let one = |words: &BTreeMap<&'static str, String>| {
            template.render(Place::Plain, |name| match name {
                "prompt" => Some(Cow::from(prompt.as_str())),
                _ => escaped(
                    words
                        .get(name)
                        .map(|v| Cow::from(v.as_str()))
                        .or_else(|| settings.get(name).map(Cow::from))?,
                ),
            })
        };
        words.iter().map(one).collect()
    }

    fn xml_prompt(&self, speech: &Speech, settings: &Settings) -> String {
        let Writing::Xml(template) = self.prompt.as_ref().unwrap_or(&self.say).get_ref() else {
            return String::new();
        };
        let words = self.speech(speech);
        template.render(Place::Plain, |name| {
            escaped(
                words
                    .get(name)
                    .map(|v| Cow::from(v.as_str()))
                    .or_else(|| settings.get(name).map(Cow::from))?,
            )
        })
    }

    fn json(&self, op: &CallOp, settings: &Settings) -> Vec<Value> {
        let Some((writing, words)) = self.chosen(op) else { return Vec::new() };
        let prompt: Vec<Value> = match op {
            CallOp::Ask { speech, .. } => {
                let pieces = self.pieces(speech);
                let prompt = self.prompt.as_ref().unwrap_or(&self.say).get_ref();
                pieces.flat_map(|piece| json_of(prompt, &self.speech(&piece), settings, &[])).collect()
            }
            _ => Vec::new(),
        };
        words.iter().flat_map(|words| json_of(writing, words, settings, &prompt)).collect()
    }

    /// The template of a thing to do, and the values for each time that it is written.
    fn chosen(&self, op: &CallOp) -> Option<(&Writing, Vec<BTreeMap<&'static str, String>>)> {
        let placed = |place: &CallPlace, words: &[(&'static str, String)]| {
            let place = [("next_url", place.url.clone()), ("next_state", place.state.clone())];
            vec![words.iter().cloned().chain(place).collect::<BTreeMap<_, _>>()]
        };
        let (writing, words) = match op {
            CallOp::Say(speech) => {
                (Some(&self.say), self.pieces(speech).map(|piece| self.speech(&piece)).collect())
            }
            CallOp::Ask { speech, digits, wait_seconds, listen, next } => {
                let mut words: Vec<_> = self.speech(speech).into_iter().collect();
                words.push(("digits", digits.to_string()));
                words.push(("wait_seconds", wait_seconds.to_string()));
                words.extend(listen.then(|| ("listen", "true".to_owned())));
                let input =
                    self.inputs.as_ref().map(|inputs| if *listen { &inputs.both } else { &inputs.keys });
                words.extend(input.map(|input| ("input", input.clone())));
                (Some(&self.ask), placed(next, &words))
            }
            CallOp::Hold { seconds, language, next } => {
                let words = [
                    ("seconds", seconds.to_string()),
                    ("language", self.language(language)),
                    ("voice", self.voices.get(language).cloned().unwrap_or_default()),
                ];
                (self.hold.as_ref(), placed(next, &words))
            }
            CallOp::Transfer { to, wait_seconds, next } => {
                let words = [("to", to.clone()), ("wait_seconds", wait_seconds.to_string())];
                (Some(&self.transfer), placed(next, &words))
            }
            CallOp::Record => (self.record.as_ref(), vec![BTreeMap::new()]),
            CallOp::Next(next) => (self.next.as_ref(), placed(next, &[])),
            CallOp::HangUp => (self.hang_up.as_ref(), vec![BTreeMap::new()]),
        };
        Some((writing?.get_ref(), words))
    }

    fn language(&self, tag: &str) -> String {
        self.languages.get(tag).cloned().unwrap_or_else(|| tag.to_owned())
    }

    fn speech(&self, speech: &Speech) -> BTreeMap<&'static str, String> {
        let voice = self.voices.get(&speech.language).cloned().unwrap_or_default();
        let text = speech.text.chars().filter(|c| !c.is_control()).collect();
        BTreeMap::from([("text", text), ("language", self.language(&speech.language)), ("voice", voice)])
    }

    /// What is said, in pieces of which none is too long, cut after a sentence or at least between words.
    fn pieces<'s>(&self, speech: &'s Speech) -> impl Iterator<Item = Speech> + use<'s> {
        let longest = self.longest_text.unwrap_or(usize::MAX);
        let mut pieces = vec![String::new()];
        for sentence in speech.text.split_inclusive(['.', '!', '?', ';']) {
            let fits = |pieces: &[String], more: &str| {
                pieces.last().is_none_or(|last| last.chars().count() + more.chars().count() <= longest)
            };
            if fits(&pieces, sentence) {
                pieces.last_mut().into_iter().for_each(|last| last.push_str(sentence));
                continue;
            }
            for word in sentence.split_inclusive(' ') {
                if !fits(&pieces, word) {
                    pieces.push(String::new());
                }
                pieces.last_mut().into_iter().for_each(|last| last.push_str(word));
            }
        }
        let language = &speech.language;
        let said = pieces.into_iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        said.map(|text| Speech { language: language.clone(), text })
    }
}

/// Whether the vendor asks what comes next once it is done.
fn leads_on(op: &CallOp) -> bool {
    match op {
        CallOp::Ask { .. } | CallOp::Hold { .. } | CallOp::Transfer { .. } | CallOp::Next(_) => true,
        CallOp::Say(_) | CallOp::Record | CallOp::HangUp => false,
    }
}

fn json_of(
    writing: &Writing,
    words: &BTreeMap<&'static str, String>,
    settings: &Settings,
    prompt: &[Value],
) -> Vec<Value> {
    let Writing::Json(template) = writing else { return Vec::new() };
    let value = |name: &str| {
        words.get(name).map(|v| Cow::from(v.as_str())).or_else(|| settings.get(name).map(Cow::from))
    };
    let whole = |name: &str| (name == "prompt").then(|| Value::Array(prompt.to_vec()));
    match (Filling { value: &value, whole: &whole }).fill(template) {
        Some(Value::Array(items)) => items,
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn escaped(value: Cow<'_, str>) -> Option<Cow<'_, str>> {
    Some(Cow::Owned(filter::xml(&value)))
}

impl Manifest {
    /// The document of these things to do, in the vendor's dialect; none where it has none.
    pub fn document(&self, ops: &[CallOp], settings: &Settings) -> Option<Written> {
        self.dialect.as_ref().map(|dialect| dialect.write(ops, settings))
    }

    /// When the vendor tells who or what took a call.
    pub fn detection(&self) -> Detection {
        let told = |kind| self.callbacks.get(&kind);
        if told(CallbackKind::Voice).is_some_and(|voice| voice.tells_who_answered()) {
            Detection::AtAnswer
        } else if told(CallbackKind::Status).is_some_and(|status| status.tells_of_machines()) {
            Detection::Later
        } else {
            Detection::Never
        }
    }
}

impl DeliveryStatus {
    /// Who or what took a call, if that is what it says.
    pub fn answered_by(self) -> Option<AnsweredBy> {
        match self {
            Self::Human => Some(AnsweredBy::Human),
            Self::Machine => Some(AnsweredBy::Machine),
            Self::MachineGreeting => Some(AnsweredBy::MachineGreeting),
            Self::Unsure => Some(AnsweredBy::Unsure),
            Self::Pending
            | Self::Sent
            | Self::Delivered
            | Self::Failed
            | Self::Complained
            | Self::Answered
            | Self::Ended
            | Self::Busy
            | Self::NoAnswer
            | Self::NotConnected
            | Self::Unrecognised => None,
        }
    }

    /// Whether it is a word of calls alone.
    pub fn is_of_calls(self) -> bool {
        self.answered_by().is_some()
            || matches!(self, Self::Answered | Self::Ended | Self::Busy | Self::NoAnswer | Self::NotConnected)
    }
}
