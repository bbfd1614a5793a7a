//! What the debtor allowed, refused and asked for: consents, opt-outs, inconvenient times, and the holds that bar contact.

use crate::domain::channel::{Channel, words};
use crate::domain::id::{AccountKey, PointKey};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

words! {
    /// What a consent is for.
    ConsentScope {
        /// TCPA prior express consent: texts and prerecorded or autodialled calls (47 CFR 64.1200(a)(1)(iii)).
        Automated = "automated",
        /// An email or text address used with the debtor's consent (12 CFR 1006.6(d)(4)–(5)).
        Electronic = "electronic",
        /// Direct prior consent to more calls (12 CFR 1006.14(b)(3)(i)).
        ExcessCalls = "excess_calls",
        /// Contact at the place of work.
        Workplace = "workplace",
        /// Contact at an otherwise inconvenient time (12 CFR 1006.6(b)(4)).
        Time = "time",
    }
}

impl ConsentScope {
    /// Whether the scope means anything on a channel (a scope that does not fit is refused at the door).
    pub fn fits(self, channel: Channel) -> bool {
        match self {
            Self::Automated => matches!(channel, Channel::Sms | Channel::Voice),
            Self::Electronic => matches!(channel, Channel::Sms | Channel::Email),
            Self::ExcessCalls => channel == Channel::Voice,
            Self::Workplace => !matches!(channel, Channel::Portal),
            Self::Time => true,
        }
    }
}

words! {
    /// To whom a consent was given.
    GivenTo {
        /// To us: the default.
        Collector = "collector",
        /// To the creditor.
        Creditor = "creditor",
        /// To the collector before us.
        PriorCollector = "prior_collector",
    }
}

words! {
    /// In which form a consent was given.
    ConsentForm {
        /// In writing.
        Written = "written",
        /// By word of mouth.
        Oral = "oral",
        /// Electronically.
        Electronic = "electronic",
    }
}

/// A consent as the law counts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The accounts it covers; empty means all.
    pub accounts: Vec<AccountKey>,
    /// The channel it covers.
    pub channel: Channel,
    /// When it ends by its own terms.
    pub expires_at: Option<Timestamp>,
    /// In which form.
    pub form: Option<ConsentForm>,
    /// To whom.
    pub given_to: GivenTo,
    /// From when it counts.
    pub granted_at: Timestamp,
    /// The point it covers; none means every point of the channel.
    pub point: Option<PointKey>,
    /// What it is for.
    pub scope: ConsentScope,
}

impl Consent {
    /// Whether it was in force at an instant, opt-outs apart.
    pub fn in_force(&self, at: Timestamp) -> bool {
        self.granted_at <= at && self.expires_at.is_none_or(|end| at < end)
    }
}

words! {
    /// Which channel an opt-out closes.
    OptOutChannel {
        /// Texts.
        Sms = "sms",
        /// Email.
        Email = "email",
        /// Calls.
        Voice = "voice",
        /// The portal's inbox.
        Portal = "portal",
        /// Everything.
        All = "all",
    }
}

impl OptOutChannel {
    /// Whether the opt-out closes a channel. `All` closes every channel, letters and visits too.
    pub fn covers(self, channel: Channel) -> bool {
        match self {
            Self::Sms => channel == Channel::Sms,
            Self::Email => channel == Channel::Email,
            Self::Voice => channel == Channel::Voice,
            Self::Portal => channel == Channel::Portal,
            Self::All => true,
        }
    }
}

/// A request to stop (12 CFR 1006.6(e), 1006.14(h); 47 CFR 64.1200(a)(10)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOut {
    /// The accounts it covers; empty means all.
    pub accounts: Vec<AccountKey>,
    /// The channel it closes.
    pub channel: OptOutChannel,
    /// The point it closes; none means every point of the channel.
    pub point: Option<PointKey>,
    /// From when it counts.
    pub received_at: Timestamp,
}

impl OptOut {
    /// Whether a consent lifts it, for as long as the consent lasts, for contacts over a channel at a point about some accounts
    /// (empty means that none is named): one given to us after it, for the same point, or for the whole medium where the
    /// refusal was of the whole medium.
    pub fn is_lifted_by(
        &self,
        given: &Consent,
        channel: Channel,
        point: Option<PointKey>,
        accounts: &[AccountKey],
    ) -> bool {
        let same_point = match given.point {
            Some(given) => point == Some(given),
            None => self.point.is_none(),
        };
        given.granted_at > self.received_at
            && given.given_to == GivenTo::Collector
            && given.channel == channel
            && same_point
            && covers_all(&given.accounts, accounts)
    }
}

words! {
    /// A day of the week.
    Weekday {
        /// Monday.
        Mon = "mon",
        /// Tuesday.
        Tue = "tue",
        /// Wednesday.
        Wed = "wed",
        /// Thursday.
        Thu = "thu",
        /// Friday.
        Fri = "fri",
        /// Saturday.
        Sat = "sat",
        /// Sunday.
        Sun = "sun",
    }
}

words! {
    /// A place that a contact point is tied to (12 CFR 1006.6(b)(1)(ii)).
    Place {
        /// Where the debtor lives.
        Home = "home",
        /// Where the debtor works.
        Work = "work",
    }
}

/// A time of day to the minute, `HH:MM`, from `00:00` to `24:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MinuteOfDay(u16);

impl MinuteOfDay {
    /// From minutes since midnight, at most 1440.
    pub fn new(minutes: u16) -> Option<Self> {
        (minutes <= 1440).then_some(Self(minutes))
    }

    /// Minutes since midnight.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl std::fmt::Display for MinuteOfDay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl std::str::FromStr for MinuteOfDay {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "not a time of day as HH:MM, from 00:00 to 24:00";
        let (hours, minutes) = text.split_once(':').ok_or(wrong)?;
        if hours.len() != 2 || minutes.len() != 2 || !text.is_ascii() {
            return Err(wrong);
        }
        let hours: u16 = hours.parse().map_err(|_| wrong)?;
        let minutes: u16 = minutes.parse().map_err(|_| wrong)?;
        if minutes > 59 {
            return Err(wrong);
        }
        Self::new(hours * 60 + minutes).ok_or(wrong)
    }
}

impl Serialize for MinuteOfDay {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MinuteOfDay {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A recurring time at which the debtor does not want to be reached (12 CFR 1006.6(b)(1)).
///
/// `from` later than `to` means over midnight: the part after midnight belongs to the day that it began on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InconvenientTime {
    /// The channels it is about; empty means all.
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// The days of the week it begins on.
    pub days: Vec<Weekday>,
    /// From this time of day, in the debtor's zones.
    #[schema(value_type = String, example = "12:00")]
    pub from: MinuteOfDay,
    /// The places it is about; empty means everywhere.
    #[serde(default)]
    pub places: Vec<Place>,
    /// From when it counts; always, where absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// To this time of day, which is no longer inconvenient.
    #[schema(value_type = String, example = "13:30")]
    pub to: MinuteOfDay,
}

/// What the debtor prefers: the body of `PUT /v1/debtors/{debtor_id}/preferences`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// Times that do not suit.
    #[serde(default)]
    pub inconvenient: Vec<InconvenientTime>,
    /// Language, BCP 47.
    #[serde(default)]
    pub language: Option<String>,
    /// The channel preferred for `auto`.
    #[serde(default)]
    pub preferred_channel: Option<Channel>,
}

words! {
    /// Why contact is barred until somebody lifts it.
    HoldKind {
        /// A written demand to cease (12 CFR 1006.6(c)).
        Cease = "cease",
        /// Represented by an attorney (12 CFR 1006.6(b)(2)).
        Attorney = "attorney",
        /// Bankruptcy (11 USC 362(a)(6), 524(a)(2)).
        Bankruptcy = "bankruptcy",
        /// The debtor has died (12 CFR 1006.6(a)).
        Deceased = "deceased",
        /// A written dispute awaits its answer (12 CFR 1006.38).
        Dispute = "dispute",
        /// In prison.
        Incarcerated = "incarcerated",
        /// On active military duty.
        Military = "military",
        /// In litigation.
        Litigation = "litigation",
        /// A written refusal to pay (12 CFR 1006.6(c)).
        RefusesToPay = "refuses_to_pay",
        /// A statutory breathing space (England and Wales: SI 2020/1311).
        BreathingSpace = "breathing_space",
        /// Bars erasure, not contact.
        Retain = "retain",
    }
}

/// A hold as the law counts it, with its end once it was lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The accounts it covers; empty means all.
    pub accounts: Vec<AccountKey>,
    /// Why.
    pub kind: HoldKind,
    /// When it was lifted, if it was.
    pub lifted_at: Option<Timestamp>,
    /// From when it counts.
    pub since: Timestamp,
}

impl Hold {
    /// Whether it was in force at an instant.
    pub fn in_force(&self, at: Timestamp) -> bool {
        self.since <= at && self.lifted_at.is_none_or(|end| at < end)
    }
}

/// Whether a list of accounts (empty means all) covers any of the accounts of a contact (empty means none was named).
pub fn covers_any(covered: &[AccountKey], contact: &[AccountKey]) -> bool {
    covered.is_empty() || contact.is_empty() || contact.iter().any(|account| covered.contains(account))
}

/// Whether a list of accounts (empty means all) covers every account of a contact.
pub fn covers_all(covered: &[AccountKey], contact: &[AccountKey]) -> bool {
    covered.is_empty() || (!contact.is_empty() && contact.iter().all(|account| covered.contains(account)))
}
