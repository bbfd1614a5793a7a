//! The debtor as upstream describes it, and the outline of it that outlives erasure.

use crate::domain::channel::words;
use crate::domain::contact_point::{CreditorNotice, LineType, PointKind, PointOutline, ReassignmentCheck};
use crate::domain::id::{AccountKey, DebtKey};
use crate::domain::money::Money;
use crate::domain::number_check::NumberCheck;
use crate::domain::time::Date;
use serde::{Deserialize, Serialize};

words! {
    /// For whom a debt is collected; it decides which law applies (15 USC 1692a(6)).
    CollectorRole {
        /// A debt collector for another.
        ThirdParty = "third_party",
        /// The creditor in its own name.
        FirstParty = "first_party",
        /// A servicer.
        Servicer = "servicer",
        /// A buyer of debts.
        DebtBuyer = "debt_buyer",
    }
}

words! {
    /// What the debt was incurred for (15 USC 1692a(5)).
    DebtType {
        /// Personal, family or household purposes.
        Consumer = "consumer",
        /// Business purposes.
        Commercial = "commercial",
        /// Medical care.
        Medical = "medical",
        /// Education.
        Student = "student",
        /// A loan secured by a dwelling.
        Mortgage = "mortgage",
        /// A motor vehicle loan.
        Auto = "auto",
        /// A credit card.
        CreditCard = "credit_card",
        /// Utilities and telecommunications.
        Utility = "utility",
        /// Rent.
        Rent = "rent",
        /// Taxes, fines and fees owed to government.
        Government = "government",
        /// Anything else.
        Other = "other",
    }
}

words! {
    /// Whether there is still something to collect.
    AccountStatus {
        /// In collection.
        Open = "open",
        /// Paid in full.
        Paid = "paid",
        /// Settled for less.
        Settled = "settled",
        /// Taken back by the creditor.
        Recalled = "recalled",
        /// Closed for another reason.
        Closed = "closed",
    }
}

/// A debtor's name.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// Given name.
    #[serde(default)]
    pub given: Option<String>,
    /// Family name.
    #[serde(default)]
    pub family: Option<String>,
}

/// A place where the debtor lives or may be.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Postal code, in the country's form.
    #[serde(default)]
    pub postal_code: Option<String>,
    /// Region as ISO 3166-2, `US-FL`; follows from a US postal code where absent.
    #[serde(default)]
    pub region: Option<String>,
    /// City or town.
    #[serde(default)]
    pub locality: Option<String>,
    /// Country as ISO 3166-1 alpha-2; `US` where absent.
    #[serde(default)]
    pub country: Option<String>,
}

/// A contact point as upstream gives it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactPoint {
    /// Phone, email or portal.
    pub kind: PointKind,
    /// E.164 number, email address or portal login.
    pub value: String,
    /// What kind of line a phone is.
    #[serde(default)]
    pub line_type: Option<LineType>,
    /// At the debtor's place of work.
    #[serde(default)]
    pub workplace: bool,
    /// Provided by the debtor's employer.
    #[serde(default)]
    pub employer_provided: bool,
    /// The newest reassigned-numbers query.
    #[serde(default)]
    pub reassignment_check: Option<ReassignmentCheck>,
    /// The creditor's notice that its collector may use this email address.
    #[serde(default)]
    pub creditor_notice: Option<CreditorNotice>,
}

/// A particular debt as upstream gives it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Upstream's identifier, unique in an installation.
    pub account_id: String,
    /// Whom it is owed to.
    #[serde(default)]
    pub creditor: Option<String>,
    /// Where the creditor sits, ISO 3166-2, where that law follows the debt.
    #[serde(default)]
    pub creditor_region: Option<String>,
    /// How the debtor knows the account (masked).
    #[serde(default)]
    pub reference: Option<String>,
    /// What is owed.
    #[serde(default)]
    #[schema(value_type = Option<MoneySchema>)]
    pub balance: Option<Money>,
    /// For whom it is collected; the configuration's default where absent.
    #[serde(default)]
    pub collector_role: Option<CollectorRole>,
    /// What the debt is; the configuration's default where absent.
    #[serde(default)]
    pub debt_type: Option<DebtType>,
    /// When the validation notice was sent, if it was.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    pub validation_notice_sent_on: Option<Date>,
    /// The limitation period has run.
    #[serde(default)]
    pub time_barred: Option<bool>,
    /// Whether there is still something to collect; `open` where absent.
    #[serde(default)]
    pub status: Option<AccountStatus>,
    /// Where the debtor can pay.
    #[serde(default)]
    pub payment_url: Option<String>,
    /// Accounts that share it are one particular debt (12 CFR 1006.14(b)(4)).
    #[serde(default)]
    pub servicing_account: Option<String>,
}

/// The shape of money on the wire.
#[derive(utoipa::ToSchema)]
#[schema(as = Money)]
#[expect(dead_code, reason = "describes the wire form of domain::money::Money")]
pub struct MoneySchema {
    /// A decimal string.
    #[schema(example = "482.13")]
    amount: String,
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
}

/// What upstream knows of a debtor: the body of `PUT /v1/debtors/{debtor_id}`. All of it is personal, so all of it is sealed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DebtorFile {
    /// Name.
    #[serde(default)]
    pub name: Option<Name>,
    /// Date of birth.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    pub date_of_birth: Option<Date>,
    /// Language, BCP 47.
    #[serde(default)]
    pub language: Option<String>,
    /// Where the debtor lives or may be.
    #[serde(default)]
    pub locations: Vec<Location>,
    /// The time zone that the debtor told us, which then stands alone.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// Where the debtor may be reached, the preferred first.
    #[serde(default)]
    pub contact_points: Vec<ContactPoint>,
    /// What the debtor owes.
    #[serde(default)]
    pub accounts: Vec<Account>,
}

/// The facts of an account that the law goes on counting, without anything personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountOutline {
    /// The keyed hash of the account's id.
    pub account: AccountKey,
    /// For whom it is collected.
    pub collector_role: CollectorRole,
    /// The keyed hash of the creditor's name, for pauses and scope.
    pub creditor: Option<crate::domain::id::Pseudonym>,
    /// Where the creditor sits, ISO 3166-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creditor_region: Option<String>,
    /// The particular debt it belongs to.
    pub debt: DebtKey,
    /// What the debt is.
    pub debt_type: DebtType,
    /// Whether there is still something to collect.
    pub status: AccountStatus,
    /// Whether the limitation period has run, where that is known.
    pub time_barred: Option<bool>,
    /// When the validation notice was sent, if it was.
    pub validation_notice_sent_on: Option<Date>,
}

/// A place as the law sees it: region and zones, no address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocationOutline {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// The city that has rules of its own, `elsewhere` in any other place, none where that is not known: see
    /// [`crate::domain::city::city_of`].
    pub locality: Option<String>,
    /// ISO 3166-2, `US-FL`.
    pub region: Option<String>,
    /// Every time zone that the place may be in.
    pub zones: Vec<String>,
}

/// What remains of a debtor in the clear part of `debtor.updated`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebtorOutline {
    /// The accounts, in upstream's order.
    pub accounts: Vec<AccountOutline>,
    /// Language, BCP 47.
    pub language: Option<String>,
    /// The places on file.
    pub locations: Vec<LocationOutline>,
    /// Answers of a reassigned-numbers database that were loaded: learned, so that nothing upstream says takes them away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub number_checks: Vec<NumberCheck>,
    /// The contact points, in upstream's order.
    pub points: Vec<PointOutline>,
    /// The zone that the debtor told us, which stands alone.
    pub stated_zone: Option<String>,
}
