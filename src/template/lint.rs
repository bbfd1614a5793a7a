//! What a template may not do, found before it is ever rendered: every path must be declared, every helper
//! known, every value escaped, every partial there and none in a circle, also in branches that no sample
//! takes.

pub mod claims;
mod html;
pub mod limited;

use crate::domain::fault::Fault;
use crate::template::compile::{Partials, SLOT};
use crate::template::context::{BuiltIn, Uses};
use crate::template::engine::{Form, Show};
use crate::template::variable::{Declared, Kind};
use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, Template, TemplateElement};
use html::Place;
use std::collections::BTreeMap;

/// What a template may use.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// In what it ends up.
    pub form: Form,
    /// Its language.
    pub language: &'a str,
    /// The partials at hand.
    pub partials: &'a Partials,
    /// The built-in values it may use.
    pub permits: fn(BuiltIn) -> bool,
    /// Whether it may say where disclosures go.
    pub slot: bool,
    /// The variables it may use.
    pub variables: &'a BTreeMap<String, Declared>,
}

/// Judges a template; what it uses, and what its paths mean, if nothing is wrong with it.
pub fn lint(
    file: &str,
    template: &Template,
    rules: Rules<'_>,
    faults: &mut Vec<Fault>,
) -> Option<(Uses, BTreeMap<String, String>)> {
    let before = faults.len();
    let mut walk = Walk {
        blocks: 0,
        faults,
        files: vec![file.to_owned()],
        guards: Vec::new(),
        line: 1,
        names: BTreeMap::new(),
        place: Place::default(),
        rules,
        scopes: Vec::new(),
        slots: 0,
        uses: Uses::default(),
    };
    walk.template(template);
    let (uses, names) = (walk.uses, walk.names);
    (faults.len() == before).then_some((uses, names))
}

/// What a path leads to.
enum Found {
    List(String),
    Object,
    Value(String, Kind),
}

struct Walk<'a> {
    blocks: usize,
    faults: &'a mut Vec<Fault>,
    /// The file and the partials open in it, the innermost last.
    files: Vec<String>,
    /// The optional values that an enclosing `#if` has found present.
    guards: Vec<String>,
    line: usize,
    names: BTreeMap<String, String>,
    place: Place,
    rules: Rules<'a>,
    /// The prefix that each enclosing `#each` gives to paths.
    scopes: Vec<String>,
    slots: usize,
    uses: Uses,
}

impl Walk<'_> {
    fn fault(&mut self, message: impl Into<String>) {
        let file = self.files.last().map(String::as_str).unwrap_or_default();
        self.faults.push(Fault::at(file, self.line, message));
    }

    fn template(&mut self, template: &Template) {
        for (index, element) in template.elements.iter().enumerate() {
            if let Some(mapping) = template.mapping.get(index) {
                self.line = mapping.0;
            }
            self.element(element);
        }
    }

    fn element(&mut self, element: &TemplateElement) {
        match element {
            TemplateElement::RawString(text) => self.raw(text),
            TemplateElement::Comment(_) => {}
            TemplateElement::Expression(expression) => self.expression(expression),
            TemplateElement::HelperBlock(block) => self.block(block),
            TemplateElement::PartialExpression(partial) => self.partial(partial),
            TemplateElement::HtmlExpression(_) => {
                self.fault("unescaped output ({{{…}}} or {{&…}}) is not allowed; write {{…}}");
            }
            TemplateElement::PartialBlock(_)
            | TemplateElement::DecoratorBlock(_)
            | TemplateElement::DecoratorExpression(_) => {
                self.fault("decorators and partial blocks are not allowed; write {{> name}}");
            }
            // The library may grow new elements: what is not known is refused.
            _ => self.fault("this element is not allowed"),
        }
    }

    fn raw(&mut self, text: &str) {
        if self.rules.form == Form::Html
            && let Some((lines, objection)) = self.place.feed(text)
        {
            self.line += lines;
            self.fault(objection);
        }
    }

    fn expression(&mut self, expression: &HelperTemplate) {
        let name = expression.name.as_name().unwrap_or_default();
        if expression.params.is_empty() && expression.hash.is_empty() {
            return if name == SLOT { self.slot() } else { self.shown(name) };
        }
        let Some(show) = Show::ALL.into_iter().find(|show| show.name() == name) else {
            let known = Show::ALL.map(Show::name).join(", ");
            return self.fault(format!("unknown helper `{name}`; there are {known}"));
        };
        let Some(path) = only_path(expression) else {
            return self.fault(format!("`{name}` takes one path and nothing else"));
        };
        if let Some((canonical, kind)) = self.value(path) {
            self.needs(&canonical);
            if kind != show.kind() {
                self.fault(format!(
                    "`{name}` needs {}; `{path}` is {}",
                    show.kind().expected(),
                    kind.expected()
                ));
            }
            self.placed(Kind::Text);
        }
    }

    fn slot(&mut self) {
        self.slots += 1;
        if !self.rules.slot {
            self.fault(format!("{{{{{SLOT}}}}} has no place here"));
        } else if self.blocks > 0 {
            self.fault(format!("{{{{{SLOT}}}}} must stand outside conditions and lists"));
        } else if self.slots > 1 {
            self.fault(format!("{{{{{SLOT}}}}} stands twice"));
        }
        self.placed(Kind::Text);
    }

    /// A value written as it is.
    fn shown(&mut self, path: &str) {
        let Some((canonical, kind)) = self.value(path) else { return };
        self.needs(&canonical);
        let dialled = self.rules.form == Form::Html && self.place.is_telephone_link();
        match kind {
            Kind::Text | Kind::Url | Kind::Integer => {}
            Kind::Phone if dialled => {}
            Kind::Date => self.fault(format!("write {{{{date {path}}}}}")),
            Kind::Money => self.fault(format!("write {{{{money {path}}}}}")),
            Kind::Phone => self.fault(format!("write {{{{phone {path}}}}}")),
            Kind::Flag => self.fault(format!("`{path}` is a flag, for conditions only")),
        }
        self.placed(kind);
    }

    fn placed(&mut self, kind: Kind) {
        if self.rules.form == Form::Html
            && let Some(objection) = self.place.objection(kind)
        {
            self.fault(objection);
        }
    }

    fn block(&mut self, block: &HelperTemplate) {
        let name = block.name.as_name().unwrap_or_default().to_owned();
        if !matches!(name.as_str(), "if" | "unless" | "each") {
            return self.fault(format!("unknown block `{name}`; there are if, unless and each"));
        }
        let Some(path) = only_path(block).filter(|_| block.block_param.is_none()) else {
            return self.fault(format!("`#{name}` takes one path and nothing else"));
        };
        let (line, scopes, guards) = (self.line, self.scopes.len(), self.guards.len());
        match (name.as_str(), self.resolve(path)) {
            ("if" | "unless", Some(Found::Value(canonical, _))) => {
                return self.condition(block, &name, canonical);
            }
            ("if" | "unless", None) if self.is_position(path) => {}
            ("each", Some(Found::List(prefix))) => {
                if !self.guards.iter().any(|guard| guard == BuiltIn::SeveralAccounts.path()) {
                    self.uses.add_list_of_one();
                }
                self.scopes.push(prefix);
            }
            (_, None) => self.unknown(path),
            ("each", Some(_)) => self.fault(format!("`{path}` is not a list")),
            (_, Some(_)) => self.fault(format!("`{path}` is no single value; ask for one of its fields")),
        }
        self.branch(block.template.as_ref());
        self.scopes.truncate(scopes);
        self.guards.truncate(guards);
        self.line = line;
        self.branch(block.inverse.as_ref());
    }

    /// `#if` or `#unless` of a value: the branch where it is present may use it though it is optional.
    fn condition(&mut self, block: &HelperTemplate, name: &str, canonical: String) {
        let (present, absent) = match name {
            "if" => (block.template.as_ref(), block.inverse.as_ref()),
            _ => (block.inverse.as_ref(), block.template.as_ref()),
        };
        self.guards.push(canonical);
        self.branch(present);
        self.guards.pop();
        self.branch(absent);
    }

    fn branch(&mut self, template: Option<&Template>) {
        self.blocks += 1;
        template.into_iter().for_each(|template| self.template(template));
        self.blocks -= 1;
    }

    fn partial(&mut self, partial: &DecoratorTemplate) {
        let Some(name) =
            partial.name.as_name().filter(|_| partial.params.is_empty() && partial.hash.is_empty())
        else {
            return self.fault("a partial is named plainly and takes no arguments: {{> name}}");
        };
        let partials = self.rules.partials;
        let from = self.files.last().map(String::as_str).unwrap_or_default();
        let Some((file, template)) = partials.find(name, self.rules.language, self.rules.form, from) else {
            return self.fault(format!("there is no partial `{name}` for this language and form"));
        };
        if self.files.iter().any(|open| open == file) {
            return self.fault(format!("partial `{name}` includes itself"));
        }
        let line = self.line;
        self.files.push(file.to_owned());
        self.template(template);
        self.files.pop();
        self.line = line;
    }

    /// A single value by its path, noted as used; a fault if there is none.
    fn value(&mut self, path: &str) -> Option<(String, Kind)> {
        match self.resolve(path) {
            Some(Found::Value(canonical, kind)) => Some((canonical, kind)),
            Some(Found::List(_) | Found::Object) => {
                self.fault(format!("`{path}` is no single value; ask for one of its fields"));
                None
            }
            None => {
                self.unknown(path);
                None
            }
        }
    }

    fn unknown(&mut self, path: &str) {
        self.fault(format!("`{path}` is neither a declared variable nor supplied here"));
    }

    /// An optional variable may be written only where an `#if` has found it.
    fn needs(&mut self, canonical: &str) {
        let optional = canonical
            .strip_prefix("variables.")
            .and_then(|name| self.rules.variables.get(name))
            .is_some_and(|declared| !declared.required);
        if optional && !self.guards.iter().any(|guard| guard == canonical) {
            self.fault(format!("`{canonical}` is optional; write it inside {{{{#if {canonical}}}}}"));
        }
    }

    /// `@first` and `@last`, inside a list.
    fn is_position(&self, path: &str) -> bool {
        matches!(path, "@first" | "@last") && self.scopes.iter().any(|scope| scope.ends_with("[]."))
    }

    fn resolve(&mut self, path: &str) -> Option<Found> {
        let (mut level, mut rest) = (self.scopes.len(), path);
        while let Some(upper) = rest.strip_prefix("../") {
            level = level.checked_sub(1)?;
            rest = upper;
        }
        let rest = rest.strip_prefix("this.").or_else(|| rest.strip_prefix("./")).unwrap_or(rest);
        let prefix = level.checked_sub(1).and_then(|last| self.scopes.get(last)).map_or("", String::as_str);
        let canonical = format!("{prefix}{rest}");
        let found = self.look_up(&canonical)?;
        self.names.insert(path.to_owned(), canonical);
        Some(found)
    }

    fn look_up(&mut self, canonical: &str) -> Option<Found> {
        if let Some(declared) =
            canonical.strip_prefix("variables.").and_then(|name| self.rules.variables.get(name))
        {
            self.uses.add_variables();
            return Some(Found::Value(canonical.to_owned(), declared.kind));
        }
        let mut permitted = BuiltIn::ALL.iter().copied().filter(|one| (self.rules.permits)(*one));
        if let Some(one) = permitted.clone().find(|one| one.path() == canonical) {
            self.uses.add(one);
            return Some(Found::Value(canonical.to_owned(), one.kind()));
        }
        let (list, object) = (format!("{canonical}[]."), format!("{canonical}."));
        permitted.find_map(|one| {
            if one.path().starts_with(&list) {
                Some(Found::List(list.clone()))
            } else if one.path().starts_with(&object) {
                Some(Found::Object)
            } else {
                None
            }
        })
    }
}

/// The only argument, if it is a path and there is nothing else.
fn only_path(helper: &HelperTemplate) -> Option<&str> {
    match (helper.params.as_slice(), helper.hash.is_empty()) {
        ([path @ Parameter::Path(_)], true) => path.as_name(),
        _ => None,
    }
}

/// A line's own words.
fn without_expressions(line: &str) -> String {
    let mut words = line.split("{{");
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |said, rest| said + " " + rest.split_once("}}").map_or("", |(_, after)| after))
}
