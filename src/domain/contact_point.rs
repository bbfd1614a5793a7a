//! Where a debtor may be reached: a phone number, an email address, a portal login.

use crate::domain::channel::{Channel, words};
use crate::domain::id::PointKey;
use crate::domain::time::Date;
use serde::{Deserialize, Serialize};
use std::fmt;

words! {
    /// What sort of contact point it is.
    PointKind {
        /// A telephone number, E.164.
        Phone = "phone",
        /// An email address.
        Email = "email",
        /// A login of the debtor's portal.
        Portal = "portal",
    }
}

impl PointKind {
    /// The kind that a channel needs; none for letters and visits, which go to a location.
    pub fn of(channel: Channel) -> Option<Self> {
        match channel {
            Channel::Email => Some(Self::Email),
            Channel::Sms | Channel::Voice => Some(Self::Phone),
            Channel::Portal => Some(Self::Portal),
            Channel::Letter | Channel::Visit => None,
        }
    }
}

words! {
    /// What kind of telephone line a number is.
    LineType {
        /// A mobile telephone.
        Mobile = "mobile",
        /// A fixed residential or business line.
        Landline = "landline",
        /// A number carried over the internet.
        Voip = "voip",
        /// Not known.
        Unknown = "unknown",
    }
}

words! {
    /// What a reassigned-numbers database answered (47 CFR 64.1200(m)).
    ReassignmentResult {
        /// Not reassigned since the date asked about.
        No = "no",
        /// Reassigned.
        Yes = "yes",
        /// The database does not know.
        NoData = "no_data",
    }
}

words! {
    /// Which database was asked.
    CheckSource {
        /// Another one, substantially as complete and accurate (12 CFR part 1006, supplement I, comment 6(d)(5)-1).
        Commercial = "commercial",
        /// The FCC's own, the only one that 47 CFR 64.1200(m) shelters by.
        Fcc = "fcc",
    }
}

/// A query of a reassigned-numbers database, with its dates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReassignmentCheck {
    /// When the database was asked.
    #[schema(value_type = String, format = Date)]
    pub checked_on: Date,
    /// Its answer.
    pub result: ReassignmentResult,
    /// Since which date the number was asked about.
    #[schema(value_type = String, format = Date)]
    pub since: Date,
    /// Which database was asked, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<CheckSource>,
}

words! {
    /// What a creditor's notice that its collector will use an email address must say (12 CFR 1006.6(d)(4)(ii)(C)).
    NoticeElement {
        /// That the debt goes to the collector.
        Transfer = "transfer",
        /// The address, and that the collector may use it.
        AddressAndUse = "address_and_use",
        /// That others with access to the address may see the messages.
        OthersMaySee = "others_may_see",
        /// A simple way to opt out.
        OptOutMethod = "opt_out_method",
        /// The date by which to opt out.
        Deadline = "deadline",
    }
}

/// The notice that the creditor sent to an email address before the debt was transferred (12 CFR 1006.6(d)(4)(ii)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditorNotice {
    /// The last day on which the debtor could opt out.
    #[schema(value_type = String, format = Date)]
    pub opt_out_until: Date,
    /// When it was sent.
    #[schema(value_type = String, format = Date)]
    pub sent_on: Date,
    /// What it said.
    pub states: Vec<NoticeElement>,
}

/// A value that is not what its kind of contact point needs.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidPoint {
    /// Not an E.164 telephone number.
    #[error("not an E.164 telephone number, such as +13055550123")]
    Phone,
    /// Not an email address.
    #[error("not an email address, such as sample@example.com")]
    Email,
    /// Empty, over 200 characters, or with control characters.
    #[error("a portal login must have 1 to 200 printable characters")]
    Portal,
}

/// The value of a contact point in its normal form: E.164 for phones, lower-case domain for email.
///
/// `Debug` does not show it: the value is personal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointValue {
    kind: PointKind,
    value: String,
}

impl PointValue {
    /// Reads and normalises a value.
    pub fn parse(kind: PointKind, value: &str) -> Result<Self, InvalidPoint> {
        let value = match kind {
            PointKind::Phone => normal_phone(value)?,
            PointKind::Email => normal_email(value)?,
            PointKind::Portal => normal_login(value)?,
        };
        Ok(Self { kind, value })
    }

    /// The kind of point.
    pub fn kind(&self) -> PointKind {
        self.kind
    }

    /// Whether it is a telephone number of its country's numbering plan (libphonenumber's metadata). Plans grow, so that one
    /// which is not may be somebody's all the same: this tells two readings of a number apart, and refuses none.
    pub fn is_in_plan(&self) -> bool {
        self.kind == PointKind::Phone
            && phonenumber::parse(None, &self.value).is_ok_and(|number| number.is_valid())
    }

    /// The value in its normal form, for sending and for the keyed hash only.
    pub fn expose(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for PointValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (redacted)", self.kind)
    }
}

/// ITU-T E.164: a plus sign, a country code that does not start with zero, 15 digits at most.
fn normal_phone(value: &str) -> Result<String, InvalidPoint> {
    let digits = value.strip_prefix('+').ok_or(InvalidPoint::Phone)?;
    let plausible = (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
        // North American numbers are +1 and ten digits, area code and exchange starting at 2.
        && (!digits.starts_with('1')
            || (digits.len() == 11 && !matches!(digits.as_bytes().get(1), Some(b'0' | b'1'))));
    if plausible { Ok(value.to_owned()) } else { Err(InvalidPoint::Phone) }
}

/// RFC 5321 limits and the plain form `local@domain`; the domain is case-insensitive, the local part is kept.
fn normal_email(value: &str) -> Result<String, InvalidPoint> {
    let (local, domain) = value.rsplit_once('@').ok_or(InvalidPoint::Email)?;
    let local_ok = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"()<>[]:;,\\\"@".contains(c));
    let domain_ok = domain.contains('.')
        && value.len() <= 254
        && domain.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    if local_ok && domain_ok {
        Ok(format!("{local}@{}", domain.to_lowercase()))
    } else {
        Err(InvalidPoint::Email)
    }
}

fn normal_login(value: &str) -> Result<String, InvalidPoint> {
    let fits = (1..=200).contains(&value.chars().count()) && !value.chars().any(char::is_control);
    if fits { Ok(value.to_owned()) } else { Err(InvalidPoint::Portal) }
}

/// What the law may go on knowing of a contact point once the person is erased: no value, only its key and its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointOutline {
    /// The creditor's notice that its collector may use the address, if it sent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creditor_notice: Option<CreditorNotice>,
    /// Provided by the debtor's employer (12 CFR 1006.22(f)(3)).
    pub employer_provided: bool,
    /// Phone, email or portal.
    pub kind: PointKind,
    /// The line, for phones; [`LineType::Unknown`] otherwise.
    pub line_type: LineType,
    /// The keyed hash of the value.
    pub point: PointKey,
    /// The reassigned-numbers query that stands, if any: upstream's or one that was loaded.
    pub reassignment_check: Option<ReassignmentCheck>,
    /// The regions that a number's area code belongs to: a call reaches into them wherever the debtor lives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// At the debtor's place of work.
    pub workplace: bool,
    /// Every time zone that the number may be in (IANA names); empty for email, portal and numbers without a place.
    pub zones: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_normalised_or_refused() {
        for good in ["+13055550123", "+442079460123", "+61455501234"] {
            assert!(PointValue::parse(PointKind::Phone, good).is_ok(), "{good}");
        }
        for bad in ["13055550123", "+1305555012", "+11055550123", "+0123456789", "+1305555O123", ""] {
            assert_eq!(PointValue::parse(PointKind::Phone, bad), Err(InvalidPoint::Phone), "{bad}");
        }
        let in_plan = |value| PointValue::parse(PointKind::Phone, value).expect("valid").is_in_plan();
        assert!(in_plan("+13055550123") && in_plan("+442079460123") && !in_plan("+4413055550123"));
        let email = PointValue::parse(PointKind::Email, "Sample.One@Example.COM").expect("valid");
        assert_eq!(email.expose(), "Sample.One@example.com");
        for bad in
            ["sample", "a@b", "a b@example.com", "@example.com", "a@-x.com", "a@x..com", "a\r\n@example.com"]
        {
            assert_eq!(PointValue::parse(PointKind::Email, bad), Err(InvalidPoint::Email), "{bad}");
        }
    }

    #[test]
    fn debug_does_not_show_the_value() {
        let phone = PointValue::parse(PointKind::Phone, "+13055550123").expect("valid");
        assert!(!format!("{phone:?}").contains("305"));
    }
}
