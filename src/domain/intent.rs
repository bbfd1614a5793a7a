//! What a debtor may mean by a reply.

use crate::domain::channel::words;

words! {
    /// One thing that a reply says. A reply may say several.
    Intent {
        /// No more messages over a medium or to an address (12 CFR 1006.14(h), 47 CFR 64.1200(a)(10)).
        Stop = "stop",
        /// No more communication at all (12 CFR 1006.6(c)(1)).
        Cease = "cease",
        /// What is this, whom can I ask.
        Help = "help",
        /// Messages may come again.
        Start = "start",
        /// The number or address is not the debtor's.
        WrongNumber = "wrong_number",
        /// The debt, or part of it, is disputed (12 CFR 1006.38).
        Dispute = "dispute",
        /// An attorney represents the debtor (12 CFR 1006.6(b)(2)).
        Attorney = "attorney",
        /// Bankruptcy (11 USC 362(a)(6)).
        Bankruptcy = "bankruptcy",
        /// The debtor has died.
        Deceased = "deceased",
        /// Not able to pay now.
        Hardship = "hardship",
        /// Paid before.
        AlreadyPaid = "already_paid",
        /// Will pay.
        Promise = "promise",
        /// Wants to be called.
        CallBack = "call_back",
        /// Complains of how it was treated.
        Complaint = "complaint",
        /// Will not pay (12 CFR 1006.6(c)(1)).
        Refusal = "refusal",
        /// Not at such a time (12 CFR 1006.6(b)(1)(i)).
        Inconvenient = "inconvenient",
        /// Asks about the account, the sender or how to pay.
        Question = "question",
        /// Thanks, yes, all right.
        Courtesy = "courtesy",
    }
}

impl Intent {
    /// Whether it bars contact, and a reply that says it needs nobody's reading to be safe.
    pub fn is_restrictive(self) -> bool {
        match self {
            Self::Stop
            | Self::Cease
            | Self::WrongNumber
            | Self::Dispute
            | Self::Attorney
            | Self::Bankruptcy
            | Self::Deceased
            | Self::Refusal => true,
            Self::Help
            | Self::Start
            | Self::Hardship
            | Self::AlreadyPaid
            | Self::Promise
            | Self::CallBack
            | Self::Complaint
            | Self::Inconvenient
            | Self::Question
            | Self::Courtesy => false,
        }
    }
}
