//! What the engine itself supplies to a template: the parties, the accounts, the links; and only what is used
//! of it.

use crate::domain::debtor::{Account, Name};
use crate::domain::decision::Disclosure;
use crate::domain::money::Money;
use crate::domain::time::Date;
use crate::template::render::RenderError;
use crate::template::variable::{Kind, is_printable, is_url, money_of};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Who we are, for disclosures and signatures. What a message needs and is absent here refuses that message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Collector {
    /// Mailing address, one line.
    pub address: Option<String>,
    /// Licence numbers by region, `US-CA`.
    pub licences: BTreeMap<String, String>,
    /// The business's name.
    pub name: Option<String>,
    /// A business name that does not reveal debt collection (12 CFR 1006.2(j)(1)(i)).
    pub neutral_name: Option<String>,
    /// E.164 telephone number.
    pub phone: Option<String>,
}

/// Everything that a message may be written from.
#[derive(Clone)]
pub struct Context<'a> {
    /// The accounts that the message is about.
    pub accounts: Vec<&'a Account>,
    /// Who we are.
    pub collector: &'a Collector,
    /// What the message must carry, in policy's order.
    pub disclosures: &'a [Disclosure],
    /// The regions whose licence the licence disclosure names. Each must be among the collector's licences.
    pub licence_regions: &'a [String],
    /// The debtor's name.
    pub name: Option<&'a Name>,
    /// Where the debtor can answer online: the portal, by signed link.
    pub portal_url: Option<&'a str>,
    /// The date of the message where the debtor is.
    pub today: Date,
    /// Where one click stops this channel.
    pub unsubscribe_url: Option<&'a str>,
    /// Upstream's variables.
    pub variables: &'a Map<String, Value>,
}

macro_rules! built_ins {
    ($($(#[$doc:meta])* $variant:ident = $path:literal: $kind:expr),+ $(,)?) => {
        /// A value that the engine supplies.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum BuiltIn { $($(#[$doc])* $variant),+ }

        impl BuiltIn {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its path in a template; `[]` stands for each item of a list.
            pub const fn path(self) -> &'static str {
                match self { $(Self::$variant => $path),+ }
            }

            /// Its type.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => $kind),+ }
            }
        }
    };
}

built_ins! {
    /// The one account's creditor.
    AccountCreditor = "account.creditor": Kind::Text,
    /// How the debtor knows the one account (masked).
    AccountReference = "account.reference": Kind::Text,
    /// What is owed on the one account.
    AccountBalance = "account.balance": Kind::Money,
    /// Where the debtor can pay the one account.
    AccountPaymentUrl = "account.payment_url": Kind::Url,
    /// Each account's creditor.
    AccountsCreditor = "accounts[].creditor": Kind::Text,
    /// How the debtor knows each account (masked).
    AccountsReference = "accounts[].reference": Kind::Text,
    /// What is owed on each account.
    AccountsBalance = "accounts[].balance": Kind::Money,
    /// Where the debtor can pay each account.
    AccountsPaymentUrl = "accounts[].payment_url": Kind::Url,
    /// Our mailing address.
    CollectorAddress = "collector.address": Kind::Text,
    /// Our name.
    CollectorName = "collector.name": Kind::Text,
    /// Our name that does not reveal debt collection.
    CollectorNeutralName = "collector.neutral_name": Kind::Text,
    /// Our telephone number.
    CollectorPhone = "collector.phone": Kind::Phone,
    /// The debtor's family name.
    DebtorFamily = "debtor.family": Kind::Text,
    /// The debtor's given name.
    DebtorGiven = "debtor.given": Kind::Text,
    /// The debtor's whole name.
    DebtorName = "debtor.name": Kind::Text,
    /// A licence's number (in the licence disclosure only).
    LicencesNumber = "licences[].number": Kind::Text,
    /// A licence's region, `CA` (in the licence disclosure only).
    LicencesRegion = "licences[].region": Kind::Text,
    /// The debtor's portal.
    PortalUrl = "portal_url": Kind::Url,
    /// Whether the message is about more than one account; otherwise there is `account`.
    SeveralAccounts = "several_accounts": Kind::Flag,
    /// The date of the message.
    Today = "today": Kind::Date,
    /// One click that stops this channel.
    UnsubscribeUrl = "unsubscribe_url": Kind::Url,
}

/// Which built-in values and variables a text uses, so that no more than that is put into its context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    built_ins: u32,
    /// Whether the list of accounts is used also where there is but one.
    list_of_one: bool,
    variables: bool,
}

impl Uses {
    /// Notes a built-in value.
    pub fn add(&mut self, one: BuiltIn) {
        self.built_ins |= 1 << one as u32;
    }

    /// Notes that the list of accounts is used also where there is but one.
    pub fn add_list_of_one(&mut self) {
        self.list_of_one = true;
    }

    /// Notes that there are variables.
    pub fn add_variables(&mut self) {
        self.variables = true;
    }

    /// Notes what another text uses.
    pub fn join(&mut self, other: Self) {
        self.built_ins |= other.built_ins;
        self.list_of_one |= other.list_of_one;
        self.variables |= other.variables;
    }

    /// Whether a value is used.
    pub fn has(self, one: BuiltIn) -> bool {
        self.built_ins & (1 << one as u32) != 0
    }

    /// Whether one of these is used.
    fn has_any(self, all: &[BuiltIn]) -> bool {
        all.iter().any(|one| self.has(*one))
    }
}

/// The fields of each account in the list.
const ACCOUNTS: &[BuiltIn] = &[
    BuiltIn::AccountsCreditor,
    BuiltIn::AccountsReference,
    BuiltIn::AccountsBalance,
    BuiltIn::AccountsPaymentUrl,
];
/// The fields of each licence in the list.
const LICENCES: &[BuiltIn] = &[BuiltIn::LicencesNumber, BuiltIn::LicencesRegion];

impl Context<'_> {
    /// The values in use as Handlebars takes them: flat, each under its whole path, which [`crate::template::compile`]
    /// has made one key. What is not on file is absent: nulls never enter.
    pub(in crate::template) fn json(&self, uses: Uses) -> Result<Value, RenderError> {
        let mut root = Map::new();
        for &one in BuiltIn::ALL.iter().filter(|one| uses.has(**one)) {
            if let Some(value) = self.value(one)? {
                root.insert(one.path().to_owned(), value);
            }
        }
        if uses.has_any(ACCOUNTS) && (uses.list_of_one || self.accounts.len() > 1) {
            let all = self.accounts.iter().enumerate();
            let all: Result<_, _> = all.map(|(index, one)| account(one, index, uses)).collect();
            root.insert("accounts".to_owned(), Value::Array(all?));
        }
        if uses.has_any(LICENCES) {
            root.insert("licences".to_owned(), self.licences()?);
        }
        for (name, value) in self.variables.iter().filter(|_| uses.variables) {
            let value = money_of(value).map_or_else(|| value.clone(), |amount| money(&amount));
            root.insert(format!("variables.{name}"), value);
        }
        Ok(Value::Object(root))
    }

    /// A built-in value, if it is on file; none for the fields of lists.
    fn value(&self, one: BuiltIn) -> Result<Option<Value>, RenderError> {
        let only = match self.accounts.as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        Ok(match one {
            BuiltIn::AccountCreditor => only.and_then(|only| text(only.creditor.as_deref())),
            BuiltIn::AccountReference => only.and_then(|only| text(only.reference.as_deref())),
            BuiltIn::AccountBalance => only.and_then(|only| only.balance.as_ref()).map(money),
            BuiltIn::AccountPaymentUrl => {
                let link = only.and_then(|only| only.payment_url.as_deref());
                url(link, || "/accounts/0/payment_url".to_owned())?
            }
            BuiltIn::CollectorAddress => text(self.collector.address.as_deref()),
            BuiltIn::CollectorName => text(self.collector.name.as_deref()),
            BuiltIn::CollectorNeutralName => text(self.collector.neutral_name.as_deref()),
            BuiltIn::CollectorPhone => text(self.collector.phone.as_deref()),
            BuiltIn::DebtorFamily => text(self.name.and_then(|name| name.family.as_deref())),
            BuiltIn::DebtorGiven => text(self.name.and_then(|name| name.given.as_deref())),
            BuiltIn::DebtorName => self.name.and_then(whole_name),
            BuiltIn::PortalUrl => url(self.portal_url, || "/portal_url".to_owned())?,
            BuiltIn::SeveralAccounts => Some(Value::Bool(self.accounts.len() > 1)),
            BuiltIn::Today => Some(Value::String(self.today.to_string())),
            BuiltIn::UnsubscribeUrl => url(self.unsubscribe_url, || "/unsubscribe_url".to_owned())?,
            BuiltIn::AccountsCreditor
            | BuiltIn::AccountsReference
            | BuiltIn::AccountsBalance
            | BuiltIn::AccountsPaymentUrl
            | BuiltIn::LicencesNumber
            | BuiltIn::LicencesRegion => None,
        })
    }

    fn licences(&self) -> Result<Value, RenderError> {
        if self.licence_regions.is_empty() {
            return Err(RenderError::Missing {
                pointer: "/locations".to_owned(),
                remedy: "the licence disclosure needs the debtor's region".to_owned(),
            });
        }
        let one = |region: &String| match self.collector.licences.get(region) {
            Some(number) => {
                let shown = region.strip_prefix("US-").unwrap_or(region);
                Ok(item([("number", text(Some(number))), ("region", text(Some(shown)))]))
            }
            None => Err(RenderError::Missing {
                pointer: format!("/collector/licences/{region}"),
                remedy: format!("set `licences.{region}` under `[collector]` in the configuration"),
            }),
        };
        self.licence_regions.iter().map(one).collect::<Result<_, _>>().map(Value::Array)
    }
}

/// An account in the list of several.
fn account(one: &Account, index: usize, uses: Uses) -> Result<Value, RenderError> {
    let link = one.payment_url.as_deref().filter(|_| uses.has(BuiltIn::AccountsPaymentUrl));
    Ok(item([
        ("balance", one.balance.as_ref().map(money)),
        ("creditor", text(one.creditor.as_deref())),
        ("payment_url", url(link, || format!("/accounts/{index}/payment_url"))?),
        ("reference", text(one.reference.as_deref())),
    ]))
}

/// An item of a list, with the fields that are there.
fn item<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let present = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(present.collect())
}

fn whole_name(name: &Name) -> Option<Value> {
    match (name.given.as_deref(), name.family.as_deref()) {
        (Some(given), Some(family)) => text(Some(&format!("{given} {family}"))),
        (one, None) | (None, one) => text(one),
    }
}

/// An amount as `482.13 USD`, which [`crate::template::engine::Show::Money`] reads again.
fn money(amount: &Money) -> Value {
    let mut written = amount.amount();
    written.push(' ');
    written.push_str(amount.currency().code());
    Value::String(written)
}

/// A text from the file, if it says anything: what could break a line or reorder it becomes a space.
fn text(value: Option<&str>) -> Option<Value> {
    let value = value.filter(|value| !value.trim().is_empty())?;
    let plain = value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) || value.chars().all(is_printable);
    Some(Value::String(if plain { value.to_owned() } else { value.replace(|c| !is_printable(c), " ") }))
}

fn url(value: Option<&str>, pointer: impl Fn() -> String) -> Result<Option<Value>, RenderError> {
    match value {
        None => Ok(None),
        Some(value) if is_url(value) => Ok(Some(Value::String(value.to_owned()))),
        Some(_) => {
            let detail = format!("is not {}", Kind::Url.expected());
            Err(RenderError::Unfit { pointer: pointer(), detail })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn everything() -> Uses {
        let mut uses = Uses::default();
        BuiltIn::ALL.iter().for_each(|one| uses.add(*one));
        uses
    }

    fn seen(uses: Uses, accounts: &Value) -> Value {
        let accounts: Vec<Account> = serde_json::from_value(accounts.clone()).expect("accounts");
        let collector = Collector {
            name: Some("First\u{7} \u{202e}Recovery".to_owned()),
            neutral_name: Some("  ".to_owned()),
            licences: BTreeMap::from([("US-CA".to_owned(), "12345-99".to_owned())]),
            ..Collector::default()
        };
        let variables = json!({"fee": {"amount": "1.50", "currency": "USD"}, "note": "x"});
        let context = Context {
            accounts: accounts.iter().collect(),
            collector: &collector,
            disclosures: &[],
            licence_regions: &["US-CA".to_owned()],
            name: Some(&Name { given: None, family: Some("Debtor".to_owned()) }),
            portal_url: None,
            today: "2026-11-23".parse().expect("a date"),
            unsubscribe_url: Some("https://gateway.example/u/1"),
            variables: variables.as_object().expect("an object"),
        };
        context.json(uses).expect("all is well formed")
    }

    #[test]
    fn only_what_is_on_file_is_there_and_it_is_clean() {
        let account = json!([{"account_id": "A-1", "creditor": "First Bank",
            "balance": {"amount": "482.13", "currency": "USD"}}]);
        assert_eq!(
            seen(everything(), &account),
            json!({
                "account.balance": "482.13 USD",
                "account.creditor": "First Bank",
                "collector.name": "First   Recovery",
                "debtor.family": "Debtor",
                "debtor.name": "Debtor",
                "licences": [{"number": "12345-99", "region": "CA"}],
                "several_accounts": false,
                "today": "2026-11-23",
                "unsubscribe_url": "https://gateway.example/u/1",
            })
        );
    }

    #[test]
    fn only_what_is_used_is_there() {
        assert_eq!(seen(Uses::default(), &json!([])), json!({}));
        let mut uses = Uses::default();
        uses.add_variables();
        assert_eq!(seen(uses, &json!([])), json!({"variables.fee": "1.50 USD", "variables.note": "x"}));
    }

    #[test]
    fn one_account_is_a_list_only_where_a_template_asks_for_it() {
        let mut uses = Uses::default();
        uses.add(BuiltIn::AccountsCreditor);
        let one = json!([{"account_id": "A-1", "creditor": "First Bank"}]);
        assert_eq!(seen(uses, &one), json!({}));
        let two = json!([{"account_id": "A-1", "creditor": "First Bank"}, {"account_id": "A-2"}]);
        assert_eq!(seen(uses, &two), json!({"accounts": [{"creditor": "First Bank"}, {}]}));
        uses.add_list_of_one();
        assert_eq!(seen(uses, &one), json!({"accounts": [{"creditor": "First Bank"}]}));
    }
}
