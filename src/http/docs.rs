//! `/openapi.json`, and `/docs`: the same description as a page, readable without JavaScript; `/docs/policy`: the law in force.

use crate::http::Api;
use crate::http::page::{Page, escape};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use std::fmt::Write;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

mod law;

const STYLE: &str = include_str!("docs.css");
const METHODS: [&str; 4] = ["get", "put", "post", "delete"];

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(openapi)).routes(routes!(page)).routes(routes!(law::page))
}

/// This API, described
#[utoipa::path(
    get, path = "/openapi.json", tag = "Operation", security(()),
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object))
)]
async fn openapi(State(api): State<Api>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], api.description().json.clone()).into_response()
}

/// This API, as a page
#[utoipa::path(
    get, path = "/docs", tag = "Operation", security(()),
    responses((status = 200, description = "The page", content_type = "text/html", body = String))
)]
async fn page(State(api): State<Api>) -> Response {
    let body = &api.description().page.0;
    Page { language: "en", title: "Dunwell API", style: STYLE, body }.respond(StatusCode::OK)
}

/// The body of the page.
pub struct Rendered(String);

/// Writes the page from the document.
pub fn render(document: &Value) -> Rendered {
    let mut html = String::with_capacity(128 * 1024);
    let info = &document["info"];
    let _ = writeln!(
        html,
        "<a class=\"skip\" href=\"#main\">Skip to the operations</a>\n<header><p class=\"version\">Version {}</p><h1>{} API</h1>{}\
         <p>For machines: <a href=\"/openapi.json\">openapi.json</a>. The law in force: <a href=\"/docs/policy\">every rule</a>.</p></header>",
        text(&info["version"]),
        text(&info["title"]),
        paragraphs(info["description"].as_str().unwrap_or_default())
    );
    let tags = operations_by_tag(document);
    navigation(&mut html, &tags);
    html.push_str("<main id=\"main\">\n");
    for (tag, operations) in &tags {
        let _ = writeln!(
            html,
            "<section id=\"{}\"><h2>{}</h2><p>{}</p>",
            anchor(tag.name),
            escape(tag.name),
            escape(tag.description)
        );
        for operation in operations {
            operation.write(&mut html, document);
        }
        html.push_str("</section>\n");
    }
    problems(&mut html, document);
    schemas(&mut html, document);
    html.push_str("</main>\n");
    Rendered(html)
}

struct Tag<'d> {
    name: &'d str,
    description: &'d str,
}

struct Described<'d> {
    method: &'static str,
    path: &'d str,
    body: &'d Value,
}

/// The operations under their tags, in the document's order.
fn operations_by_tag(document: &Value) -> Vec<(Tag<'_>, Vec<Described<'_>>)> {
    let tags = document["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
    let all: Vec<Described<'_>> = members(&document["paths"])
        .flat_map(|(path, item)| {
            METHODS.iter().filter_map(move |method| Some(Described { method, path, body: item.get(method)? }))
        })
        .collect();
    let mut found = Vec::new();
    for tag in tags {
        let name = tag["name"].as_str().unwrap_or_default();
        let description = tag["description"].as_str().unwrap_or_default();
        let of_tag = all.iter().filter(|one| one.body["tags"][0].as_str() == Some(name));
        let of_tag = of_tag.map(|one| Described { method: one.method, path: one.path, body: one.body });
        found.push((Tag { name, description }, of_tag.collect()));
    }
    found
}

fn navigation(html: &mut String, tags: &[(Tag<'_>, Vec<Described<'_>>)]) {
    html.push_str("<nav aria-label=\"Operations\"><ul>\n");
    for (tag, operations) in tags {
        let _ = write!(html, "<li><a href=\"#{}\">{}</a><ul>", anchor(tag.name), escape(tag.name));
        for operation in operations {
            let _ = write!(
                html,
                "<li><a href=\"#{}\">{}</a></li>",
                operation.anchor(),
                text(&operation.body["summary"])
            );
        }
        html.push_str("</ul></li>\n");
    }
    html.push_str("<li><a href=\"#problems\">Problems</a></li>\n<li><a href=\"#schemas\">Schemas</a></li>\n</ul></nav>\n");
}

impl Described<'_> {
    fn anchor(&self) -> String {
        anchor(&format!("{}-{}", self.method, self.path))
    }

    fn write(&self, html: &mut String, document: &Value) {
        let _ = writeln!(
            html,
            "<article id=\"{}\"><h3>{}</h3><p class=\"address\"><span class=\"method {}\">{}</span> <code>{}</code></p>{}",
            self.anchor(),
            text(&self.body["summary"]),
            self.method,
            self.method.to_uppercase(),
            wrappable(self.path),
            paragraphs(self.body["description"].as_str().unwrap_or_default())
        );
        self.parameters(html);
        self.request(html, document);
        self.responses(html, document);
        html.push_str("</article>\n");
    }

    fn parameters(&self, html: &mut String) {
        let parameters = self.body["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        if parameters.is_empty() {
            return;
        }
        html.push_str("<h4>Parameters</h4><dl class=\"members\">\n");
        for parameter in parameters {
            let required = parameter["required"].as_bool().unwrap_or(false);
            let place = parameter["in"].as_str().unwrap_or_default();
            let kind = format!("{place}, {}", kind_of(&parameter["schema"]));
            member(html, &text(&parameter["name"]), &kind, required, &parameter["description"]);
        }
        html.push_str("</dl>\n");
    }

    fn request(&self, html: &mut String, document: &Value) {
        for (media, content) in members(&self.body["requestBody"]["content"]) {
            let _ = writeln!(html, "<h4>Body <span class=\"media\">{}</span></h4>", escape(media));
            html.push_str(&paragraphs(self.body["requestBody"]["description"].as_str().unwrap_or_default()));
            example(html, content);
            fields(html, &content["schema"], document);
        }
    }

    fn responses(&self, html: &mut String, document: &Value) {
        html.push_str("<h4>Answers</h4><dl class=\"answers\">\n");
        for (status, response) in members(&self.body["responses"]) {
            let (response, reference) = resolved(response, document);
            let class = if status.starts_with('2') { "good" } else { "bad" };
            let _ = write!(
                html,
                "<dt class=\"{class}\">{}</dt><dd>{}",
                escape(status),
                code(&text(&response["description"]))
            );
            for (media, content) in members(&response["content"]) {
                let _ = write!(html, " <span class=\"media\">{}</span>", escape(media));
                if reference.is_none() {
                    let _ = write!(html, " {}", kind_of(&content["schema"]));
                    example(html, content);
                }
            }
            html.push_str("</dd>\n");
        }
        html.push_str("</dl>\n");
    }
}

/// The closed list of problems.
fn problems(html: &mut String, document: &Value) {
    html.push_str(
        "<section id=\"problems\"><h2>Problems</h2><p>Every <code>type</code> that an error may have.</p>\n",
    );
    html.push_str("<dl class=\"answers\">\n");
    let mut all: Vec<&Value> = members(&document["components"]["responses"])
        .filter_map(|(_, response)| response["content"]["application/problem+json"].get("example"))
        .collect();
    all.sort_by_key(|problem| problem["status"].as_u64());
    for problem in all {
        let _ = writeln!(
            html,
            "<dt class=\"bad\">{}</dt><dd>{} <code>{}</code></dd>",
            problem["status"],
            text(&problem["title"]),
            text(&problem["type"])
        );
    }
    html.push_str("</dl></section>\n");
}

fn schemas(html: &mut String, document: &Value) {
    html.push_str("<section id=\"schemas\"><h2>Schemas</h2>\n");
    for (name, schema) in members(&document["components"]["schemas"]) {
        let _ = writeln!(
            html,
            "<article id=\"{}\"><h3>{}</h3>{}",
            anchor(&format!("schema-{name}")),
            escape(name),
            paragraphs(schema["description"].as_str().unwrap_or_default())
        );
        if let Some(words) = schema["enum"].as_array() {
            let words: Vec<String> =
                words.iter().map(|word| format!("<code>{}</code>", text(word))).collect();
            let _ = writeln!(html, "<p>One of {}.</p>", words.join(", "));
        }
        fields(html, schema, document);
        html.push_str("</article>\n");
    }
    html.push_str("</section>\n");
}

/// The members of an object, those of its parts too.
fn fields(html: &mut String, schema: &Value, document: &Value) {
    let (schema, _) = resolved(schema, document);
    for part in ["allOf", "oneOf"].iter().filter_map(|word| schema[*word].as_array()).flatten() {
        fields(html, part, document);
    }
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    if members(&schema["properties"]).next().is_none() {
        return;
    }
    html.push_str("<dl class=\"members\">\n");
    let (needed, optional): (Vec<_>, Vec<_>) =
        members(&schema["properties"]).partition(|(name, _)| required(name));
    for (name, field) in needed.into_iter().chain(optional) {
        member(html, &escape(name), &kind_of(field), required(name), &described(field));
    }
    html.push_str("</dl>\n");
}

/// A field's own description, or that of the one schema that it stands for.
fn described(field: &Value) -> Value {
    let choices = field["oneOf"].as_array().into_iter().flatten();
    let own = std::iter::once(field).chain(choices).find_map(|one| one["description"].as_str());
    own.map_or(Value::Null, |text| Value::String(text.to_owned()))
}

fn member(html: &mut String, name: &str, kind: &str, required: bool, description: &Value) {
    let needed = if required { " <span class=\"required\">required</span>" } else { "" };
    let _ = writeln!(
        html,
        "<dt><code>{name}</code> <span class=\"kind\">{kind}</span>{needed}</dt><dd>{}</dd>",
        code(&text(description))
    );
}

/// What a schema stands for, in a few words; HTML.
fn kind_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#{}\">{}</a>", anchor(&format!("schema-{name}")), escape(name));
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[word].as_array() {
            let kinds: Vec<String> = choices.iter().map(kind_of).collect();
            return kinds.join(" or ");
        }
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec!["object"],
    };
    let named = types.iter().map(|kind| match (*kind, schema["format"].as_str()) {
        ("array", _) => format!("list of {}", kind_of(&schema["items"])),
        ("string", Some(format)) => escape(format),
        (kind, _) => escape(kind),
    });
    named.collect::<Vec<_>>().join(" or ")
}

fn example(html: &mut String, content: &Value) {
    if let Some(example) = content.get("example")
        && let Ok(pretty) = serde_json::to_string_pretty(example)
    {
        let _ = writeln!(html, "<pre tabindex=\"0\">{}</pre>", escape(&pretty));
    }
}

/// What a reference stands for, and the reference.
fn resolved<'d>(value: &'d Value, document: &'d Value) -> (&'d Value, Option<&'d str>) {
    match value["$ref"].as_str() {
        Some(path) => (document.pointer(path.trim_start_matches('#')).unwrap_or(value), Some(path)),
        None => (value, None),
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> String {
    value.as_str().map(escape).unwrap_or_default()
}

/// Text in paragraphs, with what stands between backticks as code; HTML.
fn paragraphs(text: &str) -> String {
    let whole = text.split("\n\n").filter(|part| !part.trim().is_empty());
    whole.map(|part| format!("<p>{}</p>", code(&escape(part)))).collect()
}

fn code(safe: &str) -> String {
    let parts = safe.split('`').enumerate();
    parts
        .map(|(place, part)| if place % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}

/// A path that may break at its slashes; HTML.
fn wrappable(path: &str) -> String {
    escape(path).replace('/', "/<wbr>")
}

fn anchor(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    plain.collect::<String>().split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}
