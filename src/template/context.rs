//! What the engine itself supplies to a template: the parties, the accounts, the links; and only what is used
//! of it.

use crate::domain::debtor::{Account, Name};
use crate::domain::decision::Disclosure;
use crate::domain::time::Date;
use crate::template::render::RenderError;
use crate::template::variable::{Kind, is_printable, is_url};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
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
    variables: bool,
}

impl Uses {
    /// Notes a built-in value.
    pub fn add(&mut self, one: BuiltIn) {
        self.built_ins |= 1 << one as u32;
    }

    /// Notes that there are variables.
    pub fn add_variables(&mut self) {
        self.variables = true;
    }

    /// Notes what another text uses.
    pub fn join(&mut self, other: Self) {
        self.built_ins |= other.built_ins;
        self.variables |= other.variables;
    }

    /// Whether a value is used.
    pub fn has(self, one: BuiltIn) -> bool {
        self.built_ins & (1 << one as u32) != 0
    }

    fn any(self, all: &[BuiltIn]) -> bool {
        all.iter().any(|one| self.has(*one))
    }
}

const ACCOUNT: [BuiltIn; 4] = [
    BuiltIn::AccountCreditor,
    BuiltIn::AccountReference,
    BuiltIn::AccountBalance,
    BuiltIn::AccountPaymentUrl,
];
const ACCOUNTS: [BuiltIn; 4] = [
    BuiltIn::AccountsCreditor,
    BuiltIn::AccountsReference,
    BuiltIn::AccountsBalance,
    BuiltIn::AccountsPaymentUrl,
];

impl Context<'_> {
    /// The values in use as Handlebars takes them. What is not on file is absent: nulls never enter.
    pub(in crate::template) fn json(&self, uses: Uses) -> Result<Value, RenderError> {
        let mut root = Map::new();
        if let [only] = self.accounts.as_slice()
            && uses.any(&ACCOUNT)
        {
            root.insert("account".to_owned(), account(only, 0, uses, ACCOUNT)?);
        }
        if uses.any(&ACCOUNTS) {
            let all = self.accounts.iter().enumerate();
            let all: Result<_, _> = all.map(|(index, one)| account(one, index, uses, ACCOUNTS)).collect();
            root.insert("accounts".to_owned(), Value::Array(all?));
        }
        self.add_parties(&mut root, uses);
        if uses.has(BuiltIn::LicencesNumber) {
            root.insert("licences".to_owned(), self.licences()?);
        }
        if uses.has(BuiltIn::SeveralAccounts) {
            root.insert("several_accounts".to_owned(), Value::Bool(self.accounts.len() > 1));
        }
        if uses.has(BuiltIn::Today) {
            root.insert("today".to_owned(), Value::String(self.today.to_string()));
        }
        let links = [(BuiltIn::PortalUrl, self.portal_url), (BuiltIn::UnsubscribeUrl, self.unsubscribe_url)];
        for (link, value) in links {
            if let Some(value) = value
                && uses.has(link)
            {
                root.insert(link.path().to_owned(), url(value, || format!("/{}", link.path()))?);
            }
        }
        if uses.variables {
            root.insert("variables".to_owned(), Value::Object(self.variables.clone()));
        }
        Ok(Value::Object(root))
    }

    fn add_parties(&self, root: &mut Map<String, Value>, uses: Uses) {
        let collector = [
            (BuiltIn::CollectorAddress, self.collector.address.as_deref()),
            (BuiltIn::CollectorName, self.collector.name.as_deref()),
            (BuiltIn::CollectorNeutralName, self.collector.neutral_name.as_deref()),
            (BuiltIn::CollectorPhone, self.collector.phone.as_deref()),
        ];
        add_texts(root, "collector", &collector, uses);
        if let Some(name) = self.name {
            let (given, family) = (name.given.as_deref(), name.family.as_deref());
            let whole = uses.has(BuiltIn::DebtorName).then(|| match (given, family) {
                (Some(given), Some(family)) => format!("{given} {family}"),
                (Some(one), None) | (None, Some(one)) => one.to_owned(),
                (None, None) => String::new(),
            });
            let names = [
                (BuiltIn::DebtorFamily, family),
                (BuiltIn::DebtorGiven, given),
                (BuiltIn::DebtorName, whole.as_deref()),
            ];
            add_texts(root, "debtor", &names, uses);
        }
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
                let fields = [("number", number.as_str()), ("region", shown)];
                let object = fields.map(|(key, value)| (key.to_owned(), text(value)));
                Ok(Value::Object(object.into_iter().collect()))
            }
            None => Err(RenderError::Missing {
                pointer: format!("/collector/licences/{region}"),
                remedy: format!("set `licences.{region}` under `[collector]` in the configuration"),
            }),
        };
        self.licence_regions.iter().map(one).collect::<Result<_, _>>().map(Value::Array)
    }
}

fn account(one: &Account, index: usize, uses: Uses, fields: [BuiltIn; 4]) -> Result<Value, RenderError> {
    let [creditor, reference, balance, payment_url] = fields;
    let mut object = Map::new();
    for (key, field, value) in
        [("creditor", creditor, &one.creditor), ("reference", reference, &one.reference)]
    {
        if let Some(value) = value.as_deref().filter(|value| uses.has(field) && !value.trim().is_empty()) {
            object.insert(key.to_owned(), text(value));
        }
    }
    if let Some(money) = one.balance.as_ref().filter(|_| uses.has(balance)) {
        let fields = [("amount", money.amount()), ("currency", money.currency().code().to_owned())];
        let written = fields.map(|(key, value)| (key.to_owned(), Value::String(value)));
        object.insert("balance".to_owned(), Value::Object(written.into_iter().collect()));
    }
    if let Some(link) = one.payment_url.as_deref().filter(|_| uses.has(payment_url)) {
        let link = url(link, || format!("/accounts/{index}/payment_url"))?;
        object.insert("payment_url".to_owned(), link);
    }
    Ok(Value::Object(object))
}

/// Adds an object of the texts that are in use and on file. Its keys are the last parts of the paths.
fn add_texts(root: &mut Map<String, Value>, name: &str, texts: &[(BuiltIn, Option<&str>)], uses: Uses) {
    let mut object = Map::new();
    for (field, value) in texts {
        if let Some(value) = value.filter(|value| uses.has(*field) && !value.trim().is_empty()) {
            let key = field.path().rsplit('.').next().unwrap_or_default();
            object.insert(key.to_owned(), text(value));
        }
    }
    if !object.is_empty() {
        root.insert(name.to_owned(), Value::Object(object));
    }
}

/// A text from the file: what could break a line or reorder it becomes a space.
fn text(value: &str) -> Value {
    let clean = if value.chars().all(is_printable) {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(value.replace(|c| !is_printable(c), " "))
    };
    Value::String(clean.into_owned())
}

fn url(value: &str, pointer: impl Fn() -> String) -> Result<Value, RenderError> {
    if is_url(value) {
        Ok(Value::String(value.to_owned()))
    } else {
        Err(RenderError::Unfit { pointer: pointer(), detail: format!("is not {}", Kind::Url.expected()) })
    }
}
