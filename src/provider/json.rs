//! JSON whose strings are templates, filled: what comes out empty is left out.

use crate::provider::filter::Filter;
use crate::provider::placeholder::{Place, Template};
use crate::provider::send::{JsonTemplate, Test};
use serde_json::Value;
use std::borrow::Cow;

/// What the templates are filled from.
pub(in crate::provider) struct Filling<'f, 'v> {
    /// What a name stands for.
    pub value: &'f dyn Fn(&str) -> Option<Cow<'v, str>>,
    /// What stands in the place of a name that is alone there; several elements of a list, where it is one.
    pub whole: &'f dyn Fn(&str) -> Option<Value>,
}

impl Filling<'_, '_> {
    /// The value, or none where it comes out empty.
    pub(in crate::provider) fn fill(&self, template: &JsonTemplate) -> Option<Value> {
        match template {
            JsonTemplate::Literal(value) => Some(value.clone()),
            JsonTemplate::Text(template) => match self.whole(template) {
                Some(whole) => Some(whole).filter(|value| *value != Value::Array(Vec::new())),
                None => self.text(template),
            },
            JsonTemplate::List(items) => {
                let items: Vec<Value> = items.iter().flat_map(|item| self.items(item)).collect();
                (!items.is_empty()).then_some(Value::Array(items))
            }
            JsonTemplate::Object { when, unless, .. } if !self.holds(when.as_ref(), unless.as_ref()) => None,
            JsonTemplate::Object { value: Some(value), .. } => self.fill(value),
            JsonTemplate::Object { members, .. } => {
                let members = members.iter();
                let members: serde_json::Map<String, Value> = members
                    .filter_map(|(name, member)| self.fill(member).map(|value| (name.clone(), value)))
                    .collect();
                (!members.is_empty()).then_some(Value::Object(members))
            }
        }
    }

    /// What stands in a list for one of its elements: several, where that is a list by itself.
    fn items(&self, item: &JsonTemplate) -> Vec<Value> {
        let whole = match item {
            JsonTemplate::Text(template) => self.whole(template),
            JsonTemplate::Object { when, unless, value: Some(value), .. }
                if self.holds(when.as_ref(), unless.as_ref()) =>
            {
                return self.items(value);
            }
            JsonTemplate::Object { .. } | JsonTemplate::Literal(_) | JsonTemplate::List(_) => None,
        };
        match whole {
            Some(Value::Array(items)) => items,
            Some(one) => vec![one],
            None => self.fill(item).into_iter().collect(),
        }
    }

    fn whole(&self, template: &Template) -> Option<Value> {
        template.alone().and_then(|name| (self.whole)(name))
    }

    fn holds(&self, when: Option<&Test>, unless: Option<&Test>) -> bool {
        let test = |test: &Test| test.holds((self.value)(&test.name).as_deref());
        when.is_none_or(test) && !unless.is_some_and(test)
    }

    fn text(&self, template: &Template) -> Option<Value> {
        let text = template.render_unless_empty(Place::Plain, |name| (self.value)(name))?;
        if template.has(&Filter::Number) {
            let whole = text.trim().parse::<i64>().map(Value::from).ok();
            whole.or_else(|| text.trim().parse::<f64>().ok().map(Value::from))
        } else if template.has(&Filter::Boolean) {
            text.trim().parse::<bool>().ok().map(Value::from)
        } else {
            Some(Value::String(text))
        }
    }
}
