//! How a request shows who we are: `auth` of `[send]`.

use crate::provider::oauth2::OAuth2;
use crate::provider::placeholder::Template;
use crate::provider::send::Test;
use serde::Deserialize;
use toml::Spanned;

/// How we show who we are: every part that is there and whose tests hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// RFC 7617.
    pub basic: Option<Spanned<Basic>>,
    /// RFC 6750.
    pub bearer: Option<Spanned<Bearer>>,
    /// A header of any name, with any scheme word before the key.
    pub header: Option<Spanned<NamedHeader>>,
    /// AWS Signature Version 4.
    pub aws_sigv4: Option<Spanned<AwsSigV4>>,
    /// RFC 6749, section 4.4.
    pub oauth2: Option<Spanned<OAuth2>>,
}

/// User and password.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user, or a key's identifier.
    pub username: Template,
    /// The password or token.
    pub password: Template,
    /// Only where this holds.
    pub when: Option<Test>,
    /// Only where this does not hold.
    pub unless: Option<Test>,
}

/// A token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bearer {
    /// The token.
    pub token: Template,
    /// Only where this holds.
    pub when: Option<Test>,
    /// Only where this does not hold.
    pub unless: Option<Test>,
}

/// A header of any name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedHeader {
    /// The header's name.
    pub name: String,
    /// Its whole value.
    pub value: Template,
    /// Only where this holds.
    pub when: Option<Test>,
    /// Only where this does not hold.
    pub unless: Option<Test>,
}

/// AWS Signature Version 4.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSigV4 {
    /// The access key's identifier.
    pub access_key: Template,
    /// The secret access key.
    pub secret_key: Template,
    /// The session's token, with temporary credentials.
    pub session_token: Option<Template>,
    /// The region, such as `us-east-1`.
    pub region: Template,
    /// The service's signing name, such as `ses`.
    pub service: String,
    /// Only where this holds.
    pub when: Option<Test>,
    /// Only where this does not hold.
    pub unless: Option<Test>,
}
