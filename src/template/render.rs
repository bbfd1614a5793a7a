//! A message as the debtor gets it: words, values, and the disclosures that policy demands, in one pass.

use crate::domain::channel::Channel;
use crate::domain::decision::Disclosure;
use crate::domain::message::Content;
use crate::template::catalogue::Catalogue;
use crate::template::compile::Body;
use crate::template::context::Context;
use crate::template::disclosure::Slot;
use crate::template::engine::Capped;
use crate::template::manifest::Carries;
use crate::template::message::{Tongue, Words};
use crate::template::segment;
use crate::template::variable;
use handlebars::template::{Template, TemplateElement};
use handlebars::{RenderContext, RenderErrorReason, Renderable};

/// A rendered message.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The words, in the form of the channel.
    pub content: Content,
    /// The language they are in, which may be less particular than the one asked for.
    pub language: String,
    /// The template and its version, `payment-reminder@1`.
    pub template_version: String,
}

/// Why a message could not be written. Never holds a value, only where it was looked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// No such template.
    #[error("there is no template `{template}`")]
    UnknownTemplate {
        /// The name asked for.
        template: String,
    },
    /// The template has no words for the channel.
    #[error("template `{template}` has no words for {channel}")]
    NotOffered {
        /// The channel asked for.
        channel: Channel,
        /// The template.
        template: String,
    },
    /// Something that the message must carry is not on file.
    #[error("{pointer} is missing: {remedy}")]
    Missing {
        /// Where it was looked for, as a JSON pointer into the request, the debtor or the configuration.
        pointer: String,
        /// What to do about it.
        remedy: String,
    },
    /// A value is not of its type.
    #[error("{pointer} {detail}")]
    Unfit {
        /// What is wrong with it.
        detail: String,
        /// Where it stands.
        pointer: String,
    },
    /// The message may hold nothing but its own words, yet something was to be added.
    #[error("template `{template}` may say nothing but its own words, so it cannot carry `{disclosure}`")]
    MayNotCarry {
        /// What was to be added.
        disclosure: Disclosure,
        /// The template.
        template: String,
    },
    /// Longer than its channel takes.
    #[error("{part} would be longer than {limit} bytes: shorten the template or the values")]
    TooLong {
        /// The most bytes it may have.
        limit: usize,
        /// Which part.
        part: &'static str,
    },
    /// The template failed in a way that its checks at load exclude.
    #[error("template `{template}` failed: {detail}")]
    Broken {
        /// What the engine says, without values.
        detail: String,
        /// The template.
        template: String,
    },
}

impl RenderError {
    /// Where the fault lies, as a JSON pointer; `/template` for the template itself.
    pub fn pointer(&self) -> &str {
        match self {
            Self::Missing { pointer, .. } | Self::Unfit { pointer, .. } => pointer,
            Self::NotOffered { .. } => "/channels",
            Self::UnknownTemplate { .. }
            | Self::MayNotCarry { .. }
            | Self::TooLong { .. }
            | Self::Broken { .. } => "/template",
        }
    }
}

/// A part of a message and its size limit in bytes.
#[derive(Clone, Copy)]
struct Part(&'static str, usize);

/// RFC 5322 section 2.1.1: a header line of at most 998 characters; far less is sensible.
const SUBJECT: Part = Part("the subject", 300);
const TEXT: Part = Part("the text", 64 * 1_024);
/// Widely used mail readers cut off what is over 102 kB.
const HTML: Part = Part("the HTML", 100_000);
/// Vendors take 1,600 characters at most; the limit is in bytes.
const SMS: Part = Part("the text message", 1_600);
const VOICE: Part = Part("the script", 8 * 1_024);

impl Catalogue {
    /// Writes a message. The language falls back from the particular to the general (`es-MX`, `es`) and then
    /// to the catalogue's default (RFC 4647 section 3.4); the answer says which it was.
    pub fn render(
        &self,
        template: &str,
        channel: Channel,
        language: Option<&str>,
        context: &Context<'_>,
    ) -> Result<Rendered, RenderError> {
        let message = self.message(template)?;
        let not_offered = || RenderError::NotOffered { channel, template: template.to_owned() };
        let (language, tongue, words) = self.words(message, channel, language).ok_or_else(not_offered)?;
        if message.manifest.disclosures != Carries::Disclosures
            && let Some(&disclosure) = context.disclosures.first()
        {
            return Err(RenderError::MayNotCarry { disclosure, template: template.to_owned() });
        }
        let wrong = variable::check(&message.manifest.variables, context.variables);
        if let Some((pointer, detail)) = wrong.into_iter().next() {
            return Err(RenderError::Unfit { detail, pointer });
        }
        let writer = Writer::new(template, words, tongue, context)?;
        let content = writer.content(words)?;
        Ok(Rendered { content, language: language.to_owned(), template_version: message.version.clone() })
    }
}

struct Writer<'a> {
    context: &'a Context<'a>,
    data: handlebars::Context,
    template: &'a str,
    tongue: &'a Tongue,
}

impl<'a> Writer<'a> {
    fn new(
        template: &'a str,
        words: &Words,
        tongue: &'a Tongue,
        context: &'a Context<'a>,
    ) -> Result<Self, RenderError> {
        let mut uses = words.uses();
        for &slot in words.slots() {
            for &disclosure in context.disclosures {
                uses.join(tongue.notices.words(disclosure, slot).map(|body| body.uses).unwrap_or_default());
            }
        }
        let data = handlebars::Context::from(context.json(uses)?);
        Ok(Self { context, data, template, tongue })
    }

    fn content(&self, words: &Words) -> Result<Content, RenderError> {
        Ok(match words {
            Words::Email { subject, text, html } => Content::Email {
                subject: one_line(self.part(subject, None, SUBJECT)?),
                text: paragraphs(self.part(text, Some(Slot::EmailText), TEXT)?),
                html: html.as_ref().map(|html| self.part(html, Some(Slot::EmailHtml), HTML)).transpose()?,
            },
            Words::Sms { text } => {
                let text = one_line(self.part(text, Some(Slot::Sms), SMS)?);
                let segments = segment::count(&text).segments;
                Content::Sms { text, segments }
            }
            Words::Voice { script } => {
                Content::Voice { script: one_line(self.part(script, Some(Slot::Voice), VOICE)?), plan: None }
            }
            Words::Portal { subject, html } => Content::Portal {
                subject: one_line(self.part(subject, None, SUBJECT)?),
                html: self.part(html, Some(Slot::Portal), HTML)?,
            },
        })
    }

    /// One part of the message, with the disclosures in their place.
    fn part(&self, body: &Body, slot: Option<Slot>, part: Part) -> Result<String, RenderError> {
        let mut out = Capped::new(part.1);
        self.write(&body.before, body, &mut out, part)?;
        if let Some(slot) = slot {
            self.place_disclosures(slot, &mut out, part)?;
        }
        self.write(&body.after, body, &mut out, part)?;
        let mut text = out.text;
        text.truncate(text.trim_end().len());
        if text.starts_with(char::is_whitespace) {
            text = text.trim_start().to_owned();
        }
        Ok(text)
    }

    fn place_disclosures(&self, slot: Slot, out: &mut Capped, part: Part) -> Result<(), RenderError> {
        let (before, after, between) = slot.frame();
        if self.context.disclosures.is_empty() {
            // The space after the slot is then the only one.
            let kept = out.text.trim_end().len();
            out.text.truncate(kept);
            return Ok(());
        }
        let too_long = |_| RenderError::TooLong { limit: part.1, part: part.0 };
        for (index, &disclosure) in self.context.disclosures.iter().enumerate() {
            let Some(body) = self.tongue.notices.words(disclosure, slot) else {
                let detail = format!("there are no words for `{disclosure}`");
                return Err(RenderError::Broken { detail, template: self.template.to_owned() });
            };
            if index > 0 || !out.text.ends_with(char::is_whitespace) {
                out.push(between).map_err(too_long)?;
            }
            out.push(before).map_err(too_long)?;
            let start = out.text.len();
            self.write(&body.before, body, out, part)?;
            self.write(&body.after, body, out, part)?;
            let written = out.text[start..].trim_end().len();
            out.text.truncate(start + written);
            out.push(after).map_err(too_long)?;
        }
        Ok(())
    }

    fn write(
        &self,
        template: &Template,
        body: &Body,
        out: &mut Capped,
        part: Part,
    ) -> Result<(), RenderError> {
        match template.elements.as_slice() {
            [] => return Ok(()),
            [TemplateElement::RawString(text)] => {
                let too_long = |_| RenderError::TooLong { limit: part.1, part: part.0 };
                return out.push(text).map_err(too_long);
            }
            _ => {}
        }
        let registry = self.tongue.engine.registry(body.form);
        match template.render(registry, &self.data, &mut RenderContext::new(None), out) {
            Ok(()) => Ok(()),
            Err(_) if out.full => Err(RenderError::TooLong { limit: part.1, part: part.0 }),
            Err(error) => Err(self.explain(body, error.reason())),
        }
    }

    fn explain(&self, body: &Body, reason: &RenderErrorReason) -> RenderError {
        let canonical = |raw: &str| body.names.get(raw).cloned().unwrap_or_else(|| raw.to_owned());
        match reason {
            RenderErrorReason::MissingVariable(Some(raw)) => self.missing(&canonical(raw)),
            RenderErrorReason::ParamTypeMismatchForName(_, raw, expected) => RenderError::Unfit {
                detail: format!("is not {expected}"),
                pointer: format!("/{}", canonical(raw).replace("[]", "").replace('.', "/")),
            },
            other => RenderError::Broken { detail: other.to_string(), template: self.template.to_owned() },
        }
    }

    /// What is missing, and who can put it right.
    fn missing(&self, canonical: &str) -> RenderError {
        let (root, field) = canonical.split_once('.').unwrap_or((canonical, ""));
        let accounts = self.context.accounts.len();
        let (pointer, remedy) = match root {
            "variables" => (variable::pointer_to(field), "give this variable".to_owned()),
            "collector" => (
                format!("/collector/{field}"),
                format!("set `{field}` under `[collector]` in the configuration"),
            ),
            "debtor" => ("/name".to_owned(), "put the debtor's name on file".to_owned()),
            "account" if accounts != 1 => (
                "/account_ids".to_owned(),
                format!("the template speaks of one account, the request names {accounts}"),
            ),
            "account" | "accounts[]" => {
                let index = self.context.accounts.iter().position(|account| match field {
                    "creditor" => account.creditor.is_none(),
                    "reference" => account.reference.is_none(),
                    "balance" => account.balance.is_none(),
                    _ => account.payment_url.is_none(),
                });
                let pointer = format!("/accounts/{}/{field}", index.unwrap_or_default());
                (pointer, format!("put the account's `{field}` on file"))
            }
            other => {
                (format!("/{other}"), "set `public_url` under `[server]` in the configuration".to_owned())
            }
        };
        RenderError::Missing { pointer, remedy }
    }
}

/// All white space as single spaces, so that a template may wrap its lines.
fn one_line(text: String) -> String {
    let wrapped = |text: &str| text.contains("  ") || text.contains(['\n', '\t', '\r']);
    if wrapped(&text) { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { text }
}

/// At most one empty line between paragraphs, wherever a condition left more, and a line end at the end.
fn paragraphs(mut text: String) -> String {
    while text.contains("\n\n\n") {
        text = text.replace("\n\n\n", "\n\n");
    }
    text.push('\n');
    text
}
