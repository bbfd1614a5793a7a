//! From a file's text to what renders: partials put in place, the slot for disclosures found.

use crate::domain::fault::{Fault, SourceFile};
use crate::template::context::{BuiltIn, Uses};
use crate::template::engine::Form;
use crate::template::lint::{Rules, lint};
use crate::template::mjml;
use crate::template::variable::Declared;
use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};
use handlebars::{Path, PathSeg, TemplateError, html_escape};
use std::collections::BTreeMap;

/// The name that stands where the disclosures go.
pub const SLOT: &str = "disclosures";

/// A text that renders.
pub struct Body {
    /// What comes after the disclosures.
    pub after: Template,
    /// What comes before the disclosures.
    pub before: Template,
    /// In what it ends up.
    pub form: Form,
    /// What each path as written means, for errors.
    pub names: BTreeMap<String, String>,
    /// What it needs from the context.
    pub uses: Uses,
}

/// The partials: shared pieces of words, one for all languages or one for each.
#[derive(Default)]
pub struct Partials {
    /// The text of those in MJML, which go into a letter before it is translated.
    mjml: BTreeMap<String, String>,
    parsed: BTreeMap<String, Template>,
}

impl Partials {
    /// Parses the partials, `partials/NAME.{html,mjml,txt}.hbs` or `partials/LANGUAGE/NAME.{html,mjml,txt}.hbs`.
    pub fn read<'a>(files: impl Iterator<Item = &'a SourceFile>, faults: &mut Vec<Fault>) -> Self {
        let (mut mjml, mut parsed) = (BTreeMap::new(), BTreeMap::new());
        for file in files {
            if let Some(template) = parse(file, faults) {
                if mjml::is_mjml(&file.path) {
                    mjml.insert(file.path.clone(), file.text.clone());
                }
                parsed.insert(file.path.clone(), template);
            }
        }
        Self { mjml, parsed }
    }

    /// A partial by its name in a file of this form, and the file that it stands in: the language's own before
    /// the common one; in MJML, one in MJML before one in HTML.
    pub fn find(&self, name: &str, language: &str, form: Form, from: &str) -> Option<(&str, &Template)> {
        let endings: &[&str] = match form {
            Form::Html if mjml::is_mjml(from) => &["mjml", "html"],
            Form::Html => &["html"],
            Form::Text | Form::Voice => &["txt"],
        };
        let found = endings.iter().find_map(|ending| first(&self.parsed, name, language, ending));
        found.map(|(path, template)| (path.as_str(), template))
    }

    /// The path and text of a partial in MJML.
    pub fn mjml(&self, name: &str, language: &str) -> Option<(&str, &str)> {
        first(&self.mjml, name, language, "mjml").map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

/// The language's own before the common one.
fn first<'a, T>(
    partials: &'a BTreeMap<String, T>,
    name: &str,
    language: &str,
    ending: &str,
) -> Option<(&'a String, &'a T)> {
    let own = partials.get_key_value(&format!("partials/{language}/{name}.{ending}.hbs"));
    own.or_else(|| partials.get_key_value(&format!("partials/{name}.{ending}.hbs")))
}

/// What surrounds a file when it is compiled.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// In what the text ends up.
    pub form: Form,
    /// Its language.
    pub language: &'a str,
    /// Whether its line ends are white space only: text messages and scripts.
    pub one_line: bool,
    /// The partials at hand.
    pub partials: &'a Partials,
    /// The built-in values it may use.
    pub permits: fn(BuiltIn) -> bool,
    /// Whether it has a place for disclosures.
    pub slot: bool,
    /// The variables it may use.
    pub variables: &'a BTreeMap<String, Declared>,
}

/// Compiles a file; adds what is wrong with it to the faults.
pub fn compile(file: &SourceFile, setting: Setting<'_>, faults: &mut Vec<Fault>) -> Option<Body> {
    let mut template = parse(file, faults)?;
    let rules = Rules {
        form: setting.form,
        language: setting.language,
        partials: setting.partials,
        permits: setting.permits,
        slot: setting.slot,
        variables: setting.variables,
    };
    let (mut uses, mut names) = lint(&file.path, &template, rules, faults)?;
    if mjml::is_mjml(&file.path) {
        let html = mjml::translate(file, setting.language, setting.slot, setting.partials, faults)?;
        let mut made = Vec::new();
        let judged = Template::compile(&html).ok().and_then(|html| {
            let (uses, names) = lint("", &html, rules, &mut made)?;
            Some((html, uses, names))
        });
        let Some(judged) = judged else {
            // What the file keeps to, its translation keeps to; where it does not, no line of it is to blame.
            let what = made.into_iter().next().map_or("is no template".to_owned(), |fault| fault.message);
            faults.push(Fault::of(&file.path, format!("its translation to HTML: {what}")));
            return None;
        };
        (template, uses, names) = judged;
    }
    let mut elements = Vec::new();
    put_partials_in(template, setting, &mut elements);
    let (before, after) = split(elements);
    let (mut before, mut after) = (whole(before), whole(after));
    flatten(&mut before);
    flatten(&mut after);
    if setting.one_line {
        for template in [&mut before, &mut after] {
            each_text(template, &one_space);
        }
    }
    Some(Body { after, before, form: setting.form, names, uses })
}

impl Body {
    /// The same words as HTML, their own text escaped.
    pub fn into_html(mut self) -> Self {
        for template in [&mut self.before, &mut self.after] {
            each_text(template, &html_escape);
        }
        self.form = Form::Html;
        self
    }
}

/// Makes each path one key, `account.creditor`, as the context holds it: one look-up, and no nested maps to build.
fn flatten(template: &mut Template) {
    for element in &mut template.elements {
        match element {
            TemplateElement::Expression(helper) | TemplateElement::HelperBlock(helper) => {
                let names = std::iter::once(&mut helper.name).chain(&mut helper.params);
                names.for_each(flatten_path);
                helper.template.iter_mut().chain(helper.inverse.iter_mut()).for_each(flatten);
            }
            _ => {}
        }
    }
}

fn flatten_path(parameter: &mut Parameter) {
    let Parameter::Path(Path::Relative((segments, _))) = parameter else { return };
    let named = segments.iter().position(|segment| matches!(segment, PathSeg::Named(_)));
    let names: Vec<String> = segments
        .drain(named.unwrap_or(segments.len())..)
        .filter_map(|segment| match segment {
            PathSeg::Named(name) => Some(name),
            _ => None,
        })
        .collect();
    if !names.is_empty() {
        segments.push(PathSeg::Named(names.join(".")));
    }
}

/// Changes each piece of a template's own text.
fn each_text(template: &mut Template, change: &dyn Fn(&str) -> String) {
    for element in &mut template.elements {
        match element {
            TemplateElement::RawString(text) => *text = change(text),
            TemplateElement::HelperBlock(block) => {
                let branches = block.template.iter_mut().chain(block.inverse.iter_mut());
                branches.for_each(|branch| each_text(branch, change));
            }
            _ => {}
        }
    }
}

/// Each run of white space as one space.
fn one_space(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_whitespace() {
            false => out.push(c),
            true if out.ends_with(' ') => {}
            true => out.push(' '),
        }
    }
    out
}

fn parse(file: &SourceFile, faults: &mut Vec<Fault>) -> Option<Template> {
    match Template::compile(&file.text) {
        Ok(template) => Some(template),
        Err(error) => {
            faults.push(fault_of(file, &error));
            None
        }
    }
}

fn fault_of(file: &SourceFile, error: &TemplateError) -> Fault {
    // The library's text repeats a drawing of the source after the first line.
    let reason = error.reason().to_string();
    let message = reason.lines().next().unwrap_or("does not parse").to_owned();
    match error.pos() {
        Some((line, _)) => Fault::at(&file.path, line, message),
        None => Fault::of(&file.path, message),
    }
}

/// Puts each partial's elements where it is named, so that a render neither looks it up nor copies the
/// context for it. The lint has refused unknown names and circles.
fn put_partials_in(template: Template, setting: Setting<'_>, out: &mut Vec<TemplateElement>) {
    for element in template.elements {
        match element {
            TemplateElement::PartialExpression(partial) => {
                let name = partial.name.as_name().unwrap_or_default();
                if let Some((_, inner)) = setting.partials.find(name, setting.language, setting.form, "") {
                    put_partials_in(inner.clone(), setting, out);
                }
            }
            TemplateElement::HelperBlock(block) => {
                out.push(TemplateElement::HelperBlock(Box::new(block_with_partials(*block, setting))));
            }
            TemplateElement::Comment(_) => {}
            other => out.push(other),
        }
    }
}

fn block_with_partials(mut block: HelperTemplate, setting: Setting<'_>) -> HelperTemplate {
    for branch in [&mut block.template, &mut block.inverse] {
        if let Some(template) = branch.take() {
            let mut elements = Vec::new();
            put_partials_in(template, setting, &mut elements);
            *branch = Some(whole(elements));
        }
    }
    block
}

/// Cuts at the slot; where there is none, at the end.
fn split(elements: Vec<TemplateElement>) -> (Vec<TemplateElement>, Vec<TemplateElement>) {
    let is_slot = |element: &TemplateElement| match element {
        TemplateElement::Expression(expression) => expression.name.as_name() == Some(SLOT),
        _ => false,
    };
    let mut before = elements;
    if let Some(at) = before.iter().position(is_slot) {
        let after = before.split_off(at + 1);
        before.pop();
        return (before, after);
    }
    if let Some(TemplateElement::RawString(last)) = before.last_mut() {
        // What separates the disclosures from the words is then the renderer's to put.
        last.truncate(last.trim_end().len());
    }
    (before, Vec::new())
}

fn whole(elements: Vec<TemplateElement>) -> Template {
    let mut template = Template::default();
    for element in elements {
        match (template.elements.last_mut(), element) {
            (Some(TemplateElement::RawString(text)), TemplateElement::RawString(more)) => {
                text.push_str(&more)
            }
            (_, element) => template.elements.push(element),
        }
    }
    template
}
