//! Money as upstream writes it: a decimal string and an ISO 4217 currency. Never a float.

use serde::{Deserialize, Serialize};

/// An amount in minor units of a currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenMoney", into = "WrittenMoney")]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// What can be wrong with an amount.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidMoney {
    /// Not a decimal number, or out of range.
    #[error("amount is not a decimal number such as \"482.13\"")]
    Amount,
    /// Not three capital letters.
    #[error("currency is not an ISO 4217 code such as \"USD\"")]
    Currency,
    /// More decimals than the currency has.
    #[error("amount has more decimals than the currency")]
    Decimals,
}

/// An ISO 4217 currency code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a three-letter code.
    pub fn parse(code: &str) -> Result<Self, InvalidMoney> {
        match code.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(InvalidMoney::Currency),
        }
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// How many decimals the currency has (ISO 4217, minor unit).
    pub fn decimals(&self) -> u32 {
        match &self.0 {
            b"JPY" | b"KRW" | b"CLP" | b"VND" | b"ISK" | b"PYG" | b"UGX" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }
}

impl Money {
    /// Reads a decimal string and a currency code.
    pub fn parse(amount: &str, currency: &str) -> Result<Self, InvalidMoney> {
        let currency = Currency::parse(currency)?;
        let (negative, digits) = match amount.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, amount),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.') {
            return Err(InvalidMoney::Amount);
        }
        let decimals = currency.decimals() as usize;
        if fraction.len() > decimals {
            return Err(InvalidMoney::Decimals);
        }
        let minor: i64 =
            format!("{whole}{fraction:0<decimals$}").parse().map_err(|_| InvalidMoney::Amount)?;
        Ok(Self { minor: if negative { -minor } else { minor }, currency })
    }

    /// The amount in minor units (cents).
    pub fn minor(&self) -> i64 {
        self.minor
    }

    /// The currency.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// The amount as a plain decimal string.
    pub fn amount(&self) -> String {
        let decimals = self.currency.decimals();
        let scale = 10_u64.pow(decimals);
        let sign = if self.minor < 0 { "-" } else { "" };
        let absolute = self.minor.unsigned_abs();
        if decimals == 0 {
            return format!("{sign}{absolute}");
        }
        let width = decimals as usize;
        format!("{sign}{}.{:0width$}", absolute / scale, absolute % scale)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMoney {
    amount: String,
    currency: String,
}

impl TryFrom<WrittenMoney> for Money {
    type Error = InvalidMoney;
    fn try_from(written: WrittenMoney) -> Result<Self, InvalidMoney> {
        Self::parse(&written.amount, &written.currency)
    }
}

impl From<Money> for WrittenMoney {
    fn from(money: Money) -> Self {
        Self { amount: money.amount(), currency: money.currency.code().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_survive_the_round_trip() {
        for (text, currency, minor) in
            [("482.13", "USD", 48_213), ("0.05", "USD", 5), ("-7.50", "EUR", -750), ("1200", "JPY", 1_200)]
        {
            let money = Money::parse(text, currency).expect(text);
            assert_eq!(money.minor(), minor);
            assert_eq!(money.amount(), text);
        }
        assert_eq!(Money::parse("12", "USD").expect("whole").amount(), "12.00");
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Money::parse("1.234", "USD"), Err(InvalidMoney::Decimals));
        assert_eq!(Money::parse("1,5", "USD"), Err(InvalidMoney::Amount));
        assert_eq!(Money::parse("", "USD"), Err(InvalidMoney::Amount));
        assert_eq!(Money::parse("99999999999999999999", "USD"), Err(InvalidMoney::Amount));
        assert_eq!(Money::parse("1.00", "usd"), Err(InvalidMoney::Currency));
    }
}
