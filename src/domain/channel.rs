//! How a contact is made, why, with whom, and in which direction.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire and in files.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value with this word, if there is one.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(in crate::domain) use words;

words! {
    /// The medium of a contact (12 CFR 1006.2(d): "any medium").
    Channel {
        /// Electronic mail.
        Email = "email",
        /// A text message.
        Sms = "sms",
        /// A telephone call, a person's or a machine's.
        Voice = "voice",
        /// An entry in the debtor's portal inbox.
        Portal = "portal",
        /// Postal mail, which others carry.
        Letter = "letter",
        /// A visit in person, which others make.
        Visit = "visit",
    }
}

impl Channel {
    /// The channels over which this gateway itself sends.
    pub const DISPATCHED: &'static [Self] = &[Self::Email, Self::Sms, Self::Voice, Self::Portal];

    /// Whether this gateway itself sends over it (letters and visits are carried by others, on a permit).
    pub fn is_dispatched(self) -> bool {
        Self::DISPATCHED.contains(&self)
    }

    /// Whether a contact over it is automated unless said otherwise: texts are, calls, letters and visits are not.
    pub fn automated_by_default(self) -> bool {
        matches!(self, Self::Sms | Self::Email | Self::Portal)
    }
}

words! {
    /// Why a contact is made.
    Purpose {
        /// Collecting the debt: the default.
        Collection = "collection",
        /// The validation notice (12 CFR 1006.34).
        ValidationNotice = "validation_notice",
        /// A notice that law requires.
        RequiredNotice = "required_notice",
        /// Something the debtor asked for.
        ConsumerRequested = "consumer_requested",
        /// A receipt for a payment made.
        PaymentReceipt = "payment_receipt",
        /// The one confirmation of an opt-out (12 CFR 1006.14(h)(2)(i), 47 CFR 64.1200(a)(12)).
        OptOutConfirmation = "opt_out_confirmation",
    }
}

words! {
    /// What a message says that the law looks at beside its purpose.
    Claim {
        /// That suit is or may be brought, or a judgment enforced (12 CFR 1006.26(b)).
        LegalAction = "legal_action",
        /// That payment is wanted by a day or at once (12 CFR 1006.38(b)(1)).
        Deadline = "deadline",
    }
}

words! {
    /// Whom a contact reached or was meant for.
    Party {
        /// The debtor.
        Debtor = "debtor",
        /// The debtor's spouse.
        Spouse = "spouse",
        /// The debtor's attorney.
        Attorney = "attorney",
        /// The creditor, or its attorney.
        Creditor = "creditor",
        /// A consumer reporting agency.
        CreditBureau = "credit_bureau",
        /// Anybody else.
        ThirdParty = "third_party",
    }
}

words! {
    /// Who began a contact.
    Direction {
        /// We, or somebody for us.
        Outbound = "outbound",
        /// The debtor.
        Inbound = "inbound",
    }
}

words! {
    /// In which order due requests go out.
    Priority {
        /// Before all others.
        Urgent = "urgent",
        /// The default.
        Normal = "normal",
        /// When nothing else waits.
        Low = "low",
    }
}
