//! A call as data: every word that may be said on it and every way it may take, written whole before it is placed; and the
//! few things that a machine can do on a line, whatever a vendor calls them.
//!
//! The plan is kept with the attempt, so that what is said mid-call is looked up, never judged anew: a restart, another node
//! or a changed call flow alters no call that is under way.

use crate::domain::channel::words;
use crate::domain::id::AttemptId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Words by language, BCP 47.
pub type Spoken = BTreeMap<String, String>;

/// Everything that may be said and done on one call. All of it is personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallPlan {
    /// The node whose words end the call where it must not go on; without it, none do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub farewell: Option<String>,
    /// The call flow and its version, `standard@1`.
    pub flow: String,
    /// What an answering machine hears: the limited-content message (12 CFR 1006.2(j)); without it, nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub machine: Spoken,
    /// The language that it begins in.
    pub language: String,
    /// The keys that work at every node, and the nodes that they lead to.
    pub keys: BTreeMap<String, String>,
    /// Its nodes by name.
    pub nodes: BTreeMap<String, CallNode>,
    /// Whether what is said after the right party is known is recorded.
    #[serde(default)]
    pub recorded: bool,
    /// Whether speech is listened to beside keys.
    #[serde(default)]
    pub speech: bool,
    /// The node that a person who answers comes to.
    pub start: String,
}

/// One node of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallNode {
    /// What is said after a key that means nothing here, before the words again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub again: Spoken,
    /// What it does.
    pub does: NodeKind,
    /// Its own keys, and the nodes that they lead to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, String>,
    /// For `language`: which; none is the next one that the plan has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Where it goes on; nowhere, where absent: the call ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Where it goes on after too many tries, or where nobody takes a transferred call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// For `right_party`: the key by which a person says to be the debtor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// Its words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub say: Spoken,
    /// For `transfer`: the number, E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// How often it is said at most.
    pub tries: u8,
    /// How long it waits for a key, or for a transferred call to be taken, in seconds.
    pub wait_seconds: u16,
}

words! {
    /// What a node of a call does.
    NodeKind {
        /// Asks whether this is the debtor: nothing is disclosed before somebody says so.
        RightParty = "right_party",
        /// Says something and listens for a key.
        Ask = "ask",
        /// Says the request's own message, with the disclosures that policy demands.
        Message = "message",
        /// Connects the call to somebody else: an agent, a payment line.
        Transfer = "transfer",
        /// The debtor wants to be called by a person.
        CallBack = "call_back",
        /// The debtor disputes.
        Dispute = "dispute",
        /// No more calls to this number: recorded at once, and the call ends (47 CFR 64.1200(b)(3)).
        OptOut = "opt_out",
        /// This number is not the debtor's.
        WrongParty = "wrong_party",
        /// Changes the language and goes back to where the key was pressed.
        Language = "language",
        /// Says what an answering machine would hear, and ends the call.
        LimitedContent = "limited_content",
        /// Ends the call, with a word of farewell if it has any.
        HangUp = "hang_up",
    }
}

words! {
    /// Who or what took a call, as far as the vendor can tell.
    AnsweredBy {
        /// A person.
        Human = "human",
        /// An answering machine that listens now.
        Machine = "machine",
        /// An answering machine that is still talking.
        MachineGreeting = "machine_greeting",
        /// It may be either, a fax, or silence: treated as a machine.
        Unsure = "unsure",
    }
}

words! {
    /// How far a call is.
    CallPhase {
        /// It was taken; nothing was said yet.
        Answered = "answered",
        /// Waiting to be told who or what took it.
        Holding = "holding",
        /// Waiting for an answering machine's tone.
        Greeting = "greeting",
        /// At a node, which has said its words.
        Node = "node",
        /// Connected to somebody else.
        Transferred = "transferred",
        /// The limited-content message was said.
        Limited = "limited",
    }
}

/// Where a call is. It travels in the address that the vendor calls next, under our own seal, so that any node can go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallPosition {
    /// The attempt.
    #[serde(rename = "a")]
    pub attempt: AttemptId,
    /// Whether somebody said to be the debtor.
    #[serde(rename = "c", default, skip_serializing_if = "is_false")]
    pub confirmed: bool,
    /// The language.
    #[serde(rename = "l")]
    pub language: String,
    /// The node.
    #[serde(rename = "n", default, skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// How far.
    #[serde(rename = "p")]
    pub phase: CallPhase,
    /// How many documents came before: tells one key press from the next, and a replay from both.
    #[serde(rename = "s")]
    pub step: u16,
    /// How often the node was said already.
    #[serde(rename = "t", default)]
    pub tries: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_false(truth: &bool) -> bool {
    !*truth
}

impl CallPosition {
    /// A call that was just taken.
    pub fn answered(attempt: AttemptId, language: String) -> Self {
        Self {
            attempt,
            confirmed: false,
            language,
            node: String::new(),
            phase: CallPhase::Answered,
            step: 0,
            tries: 0,
        }
    }
}

/// Where the vendor asks what comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPlace {
    /// The address.
    pub url: String,
    /// Its last part: for vendors that hand back a word of ours instead of taking an address.
    pub state: String,
}

/// Words in a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speech {
    /// BCP 47.
    pub language: String,
    /// What is said.
    pub text: String,
}

/// One thing that a machine does on a line, in the order of a document; `P` says where the vendor asks what comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOp<P = CallPlace> {
    /// Says something that no key interrupts.
    Say(Speech),
    /// Says something and listens for a key, also while it speaks; asks what comes next whether or not one was pressed.
    Ask {
        /// What is said.
        speech: Speech,
        /// How many keys at most.
        digits: u8,
        /// How long it waits once it has spoken, in seconds.
        wait_seconds: u16,
        /// Whether it listens to speech too.
        listen: bool,
        /// Where it is told.
        next: P,
    },
    /// Waits in silence, then asks.
    Hold {
        /// In seconds.
        seconds: u16,
        /// The language so far.
        language: String,
        /// Where.
        next: P,
    },
    /// Connects the call to another number, then tells.
    Transfer {
        /// E.164.
        to: String,
        /// How long it rings, in seconds.
        wait_seconds: u16,
        /// Where.
        next: P,
    },
    /// Records from here on.
    Record,
    /// Asks what comes next, once all before is done.
    Next(P),
    /// Ends the call.
    HangUp,
}

impl<P> CallOp<P> {
    /// The same with its place written out.
    pub fn placed<Q>(self, place: impl Fn(P) -> Q) -> CallOp<Q> {
        match self {
            Self::Say(speech) => CallOp::Say(speech),
            Self::Ask { speech, digits, wait_seconds, listen, next } => {
                CallOp::Ask { speech, digits, wait_seconds, listen, next: place(next) }
            }
            Self::Hold { seconds, language, next } => CallOp::Hold { seconds, language, next: place(next) },
            Self::Transfer { to, wait_seconds, next } => {
                CallOp::Transfer { to, wait_seconds, next: place(next) }
            }
            Self::Record => CallOp::Record,
            Self::Next(next) => CallOp::Next(place(next)),
            Self::HangUp => CallOp::HangUp,
        }
    }
}

/// When a vendor tells who or what took a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detection {
    /// Never.
    #[default]
    Never,
    /// When it asks for the first document.
    AtAnswer,
    /// Some time after it, by a message that is answered with the next document.
    Later,
}

/// What a call needs of its vendor at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallStart {
    /// Where it asks what to say, once the call is taken.
    pub answer: CallPlace,
    /// What it would be told there if a person took the call: for vendors that want it with the request.
    pub opening: Vec<CallOp>,
}
