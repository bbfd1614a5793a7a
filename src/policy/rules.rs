//! The kinds of law, one file each. A rule of a pack is one of these with its own figures.

mod account_status;
mod consent;
mod contact_window;
mod cool_down;
mod disclosure;
mod excuse;
mod frequency_cap;
mod hold;
mod inconvenient_time;
mod opt_out;
mod reassigned_number;
mod usable_point;
mod waiting_period;
mod workplace;

use crate::domain::decision::Disclosure;
use crate::domain::time::Timestamp;
use crate::domain::zone::Zone;
use crate::policy::calendar::Calendar;
use crate::policy::explain::Words;
use crate::policy::rule::{Ask, Say};
use serde::Deserialize;
use std::sync::Arc;

pub(in crate::policy) use frequency_cap::{Counts, FrequencyCap, Per};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal ($module:ident)),+ $(,)?) => {
        /// A kind with its parameters.
        #[derive(Clone, Debug)]
        pub(in crate::policy) enum Kind { $($(#[$doc])* $variant($module::$variant)),+ }

        impl Kind {
            /// Every kind's name in a pack.
            pub const NAMES: &'static [&'static str] = &[$($word),+];

            /// Reads the parameters of a kind; nothing where there is no such kind.
            pub fn read<'de, D: serde::Deserializer<'de>>(name: &str, row: D) -> Option<Result<Self, D::Error>> {
                match name {
                    $($word => Some($module::$variant::deserialize(row).map(Self::$variant)),)+
                    _ => None,
                }
            }

            /// What is wrong with the parameters together, if anything.
            pub fn fault(&self) -> Option<String> {
                match self { $(Self::$variant(kind) => kind.fault()),+ }
            }

            /// What the kind says of an instant.
            pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
                match self { $(Self::$variant(kind) => kind.say(ask, at)),+ }
            }

            /// Why, in one sentence with the real figures.
            pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
                match self { $(Self::$variant(kind) => kind.explain(ask, at)),+ }
            }
        }
    };
}

kinds! {
    /// Nothing to collect.
    AccountStatus = "account_status" (account_status),
    /// A consent that the contact needs.
    Consent = "consent" (consent),
    /// Hours of the day.
    ContactWindow = "contact_window" (contact_window),
    /// Silence after a conversation.
    CoolDown = "cool_down" (cool_down),
    /// A notice that a message must carry.
    DisclosureDuty = "disclosure" (disclosure),
    /// So many contacts in so many days.
    FrequencyCap = "frequency_cap" (frequency_cap),
    /// Contact barred until somebody lifts it.
    Hold = "hold" (hold),
    /// Times that do not suit the debtor.
    InconvenientTime = "inconvenient_time" (inconvenient_time),
    /// A refusal of a medium or an address.
    OptOut = "opt_out" (opt_out),
    /// A number that has gone to somebody else.
    ReassignedNumber = "reassigned_number" (reassigned_number),
    /// A point that cannot be used.
    UsablePoint = "usable_point" (usable_point),
    /// A time that must have passed since the notice.
    WaitingPeriod = "waiting_period" (waiting_period),
    /// The place of work.
    Workplace = "workplace" (workplace),
}

impl Kind {
    /// The notice that the contact must carry, if this kind asks for one.
    pub fn disclosure(&self, ask: &Ask) -> Option<Disclosure> {
        match self {
            Self::DisclosureDuty(duty) => duty.due(ask),
            Self::AccountStatus(_)
            | Self::Consent(_)
            | Self::ContactWindow(_)
            | Self::CoolDown(_)
            | Self::FrequencyCap(_)
            | Self::Hold(_)
            | Self::InconvenientTime(_)
            | Self::OptOut(_)
            | Self::ReassignedNumber(_)
            | Self::UsablePoint(_)
            | Self::WaitingPeriod(_)
            | Self::Workplace(_) => None,
        }
    }

    /// Finds the calendar that the parameters name; its name where there is none.
    pub fn bind(&mut self, calendars: &[Arc<Calendar>]) -> Option<String> {
        match self {
            Self::ContactWindow(window) => window.bind(calendars),
            Self::WaitingPeriod(period) => period.bind(calendars),
            Self::AccountStatus(_)
            | Self::Consent(_)
            | Self::CoolDown(_)
            | Self::DisclosureDuty(_)
            | Self::FrequencyCap(_)
            | Self::Hold(_)
            | Self::InconvenientTime(_)
            | Self::OptOut(_)
            | Self::ReassignedNumber(_)
            | Self::UsablePoint(_)
            | Self::Workplace(_) => None,
        }
    }
}

/// The first instant after `at` at which a zone's clock may read one of the minutes of the day, or is set.
fn next_reading(zone: Zone, at: Timestamp, minutes: &[u16]) -> Timestamp {
    const DAY: i64 = 86_400_000;
    let segment = zone.segment(at);
    let local = at.millis().saturating_add(segment.offset);
    let midnight = local.div_euclid(DAY) * DAY;
    let reads = minutes.iter().map(|minute| {
        let today = midnight.saturating_add(i64::from(*minute) * 60_000);
        if today > local { today } else { today.saturating_add(DAY) }
    });
    let next = reads.min().unwrap_or(i64::MAX).saturating_sub(segment.offset);
    Timestamp::from_millis(next).min(segment.end)
}
