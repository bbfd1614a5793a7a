//! The registries of a language: one that escapes HTML, one that leaves text alone, one for what a voice
//! reads out.

use crate::domain::money::Money;
use crate::template::format::{self, Language};
use crate::template::variable::Kind;
use handlebars::{
    Context, Handlebars, Helper, HelperDef, Output, RenderContext, RenderError, RenderErrorReason,
    ScopedJson, html_escape, no_escape,
};
use serde_json::Value;

/// In what a text ends up, which decides how values are escaped and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// HTML: values are escaped.
    Html,
    /// Plain text for the eye.
    Text,
    /// Plain text for the ear: digits are spelled.
    Voice,
}

/// A way to show a value, `{{money account.balance}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// `date`: a date in words.
    Date,
    /// `ending`: the last four characters of a masked reference.
    Ending,
    /// `money`: an amount with its currency sign.
    Money,
    /// `phone`: a telephone number as it is dialled.
    Phone,
}

impl Show {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Date, Self::Ending, Self::Money, Self::Phone];

    /// Its name in a template.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Ending => "ending",
            Self::Money => "money",
            Self::Phone => "phone",
        }
    }

    /// The type of value that it shows.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Date => Kind::Date,
            Self::Ending => Kind::Text,
            Self::Money => Kind::Money,
            Self::Phone => Kind::Phone,
        }
    }

    fn show(self, value: &Value, language: Language, form: Form) -> Option<String> {
        let spelled = |text: String| if form == Form::Voice { format::spoken_digits(&text) } else { text };
        match self {
            Self::Date => value.as_str()?.parse().ok().map(|date| format::date(date, language)),
            Self::Ending => value.as_str().map(|text| spelled(format::ending(text).to_owned())),
            Self::Money => {
                let (amount, currency) = value.as_str()?.rsplit_once(' ')?;
                Money::parse(amount, currency).ok().map(|money| format::money(&money))
            }
            Self::Phone => value.as_str().and_then(format::phone).map(spelled),
        }
    }
}

struct Shower {
    show: Show,
    language: Language,
    form: Form,
}

impl HelperDef for Shower {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let only = match (helper.params().as_slice(), helper.hash().is_empty()) {
            ([only], true) => only,
            (_, _) => return Err(RenderErrorReason::ParamNotFoundForIndex(self.show.name(), 0).into()),
        };
        // Strict mode does not reach the arguments of a helper.
        if only.is_value_missing() {
            return Err(RenderError::strict_error(only.relative_path()));
        }
        match self.show.show(only.value(), self.language, self.form) {
            Some(shown) => Ok(ScopedJson::Derived(Value::String(shown))),
            None => Err(RenderErrorReason::ParamTypeMismatchForName(
                self.show.name(),
                only.relative_path().cloned().unwrap_or_default(),
                self.show.kind().expected().to_owned(),
            )
            .into()),
        }
    }
}

/// The registries of a language.
pub struct Engine {
    html: Handlebars<'static>,
    text: Handlebars<'static>,
    voice: Handlebars<'static>,
}

impl Engine {
    /// Those of a language.
    pub fn new(language: Language) -> Self {
        let registry = |form| {
            let mut registry = Handlebars::new();
            registry.set_strict_mode(true);
            if form == Form::Html {
                registry.register_escape_fn(html_escape);
            } else {
                registry.register_escape_fn(no_escape);
            }
            for show in Show::ALL {
                registry.register_helper(show.name(), Box::new(Shower { show, language, form }));
            }
            registry
        };
        Self { html: registry(Form::Html), text: registry(Form::Text), voice: registry(Form::Voice) }
    }

    /// The registry of a form.
    pub fn registry(&self, form: Form) -> &Handlebars<'static> {
        match form {
            Form::Html => &self.html,
            Form::Text => &self.text,
            Form::Voice => &self.voice,
        }
    }
}

/// A text that refuses to grow over a limit.
pub struct Capped {
    /// Whether the limit was met.
    pub full: bool,
    /// The most bytes it may have.
    limit: usize,
    /// What was written.
    pub text: String,
}

impl Capped {
    /// An empty one.
    pub fn new(limit: usize) -> Self {
        Self { full: false, limit, text: String::with_capacity(limit.min(1_024)) }
    }

    /// Adds text.
    pub fn push(&mut self, text: &str) -> std::io::Result<()> {
        if self.text.len() + text.len() > self.limit {
            self.full = true;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.text.push_str(text);
        Ok(())
    }
}

impl Output for Capped {
    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.push(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(form: Form, template: &str, data: &Value) -> Result<String, RenderError> {
        Engine::new(Language::English).registry(form).render_template(template, data)
    }

    #[test]
    fn values_are_shown_by_form() {
        let data = json!({
            "m": "1482.13 USD", "d": "2026-12-01", "p": "+16145550100",
            "r": "xxxx1234", "t": "<b>Tom & Co</b>"
        });
        let template = "{{money m}}|{{date d}}|{{phone p}}|{{ending r}}|{{t}}";
        assert_eq!(
            render(Form::Text, template, &data).expect("renders"),
            "$1,482.13|December 1, 2026|(614) 555-0100|1234|<b>Tom & Co</b>"
        );
        assert_eq!(
            render(Form::Html, template, &data).expect("renders"),
            "$1,482.13|December 1, 2026|(614) 555-0100|1234|&lt;b&gt;Tom &amp; Co&lt;/b&gt;"
        );
        assert_eq!(
            render(Form::Voice, template, &data).expect("renders"),
            "$1,482.13|December 1, 2026|6 1 4, 5 5 5, 0 1 0 0|1 2 3 4|<b>Tom & Co</b>"
        );
    }

    #[test]
    fn wrong_arguments_are_errors() {
        let data = json!({"n": 5, "s": "soon", "x": null});
        for template in [
            "{{money n}}",
            "{{date s}}",
            "{{phone s}}",
            "{{date}}",
            "{{date s s}}",
            "{{money x}}",
            "{{ending n}}",
        ] {
            assert!(render(Form::Text, template, &data).is_err(), "{template}");
        }
    }

    #[test]
    fn output_stops_at_the_limit() {
        let mut out = Capped::new(5);
        assert!(out.push("four").is_ok());
        assert!(out.push("more").is_err());
        assert!(out.full);
        assert_eq!(out.text, "four");
    }
}
