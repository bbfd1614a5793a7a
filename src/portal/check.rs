//! The question that comes before anything of a debt is shown.

use crate::domain::time::Date;
use crate::http::page::escape;
use crate::pipeline::links::{Answer, Question, Standing};
use crate::portal::Portal;
use crate::portal::frame::{self, Here, Notice};
use crate::portal::visit::{Form, Instead, Visitor, see_other};
use crate::portal::words::Words;
use crate::template::format::Language;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

/// Asks.
pub async fn ask(State(portal): State<Portal>, headers: HeaderMap) -> Result<Response, Instead> {
    let visitor = Visitor::of(&portal, &headers).await?;
    Ok(show(&visitor, StatusCode::OK, Notice::None))
}

/// Takes the answer.
pub async fn answer(State(portal): State<Portal>, request: Request) -> Result<Response, Instead> {
    let (visitor, form) = Visitor::form(&portal, request).await?;
    let Standing::Asked(question) = visitor.standing else {
        return Ok(show(&visitor, StatusCode::OK, Notice::None));
    };
    let words = &visitor.words.check;
    let Some(answer) = read(question, &form) else {
        return Ok(show(&visitor, StatusCode::UNPROCESSABLE_ENTITY, Notice::Problem(words.unreadable)));
    };
    let right = portal.pipeline.prove(visitor.session, answer).await;
    if right.map_err(|refusal| visitor.refused(&refusal))? {
        return Ok(see_other("/portal"));
    }
    // One wrong answer more may have been one too many.
    let standing = crate::portal::visit::standing_now(&visitor).await?;
    let visitor = Visitor { standing, ..visitor };
    Ok(show(&visitor, StatusCode::UNPROCESSABLE_ENTITY, Notice::Problem(visitor.words.check.wrong)))
}

fn read(question: Question, form: &Form) -> Option<Answer> {
    match question {
        Question::BirthDate => {
            let number = |name| form.first(name)?.trim().parse::<i16>().ok();
            let (year, month, day) = (number("year")?, number("month")?, number("day")?);
            let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
            Some(Answer::BirthDate(date))
        }
        Question::PostalCode => {
            let code = form.first("postal_code")?.trim();
            (!code.is_empty()).then(|| Answer::PostalCode(code.to_owned()))
        }
    }
}

fn show(visitor: &Visitor, status: StatusCode, notice: Notice<'_>) -> Response {
    let words = visitor.words;
    let settings = &visitor.portal.pipeline.desk().settings;
    let question = match visitor.standing {
        Standing::Asked(question) => question,
        Standing::Proved | Standing::Over => return see_other("/portal"),
        Standing::NothingToAsk => return closed(visitor, words.check.nothing, settings),
        Standing::TooManyWrong => return closed(visitor, words.check.locked, settings),
    };
    let fields = match question {
        Question::BirthDate => birth_date(words),
        Question::PostalCode => format!(
            "<p><label for=\"postal_code\">{}</label>\
             <input id=\"postal_code\" name=\"postal_code\" autocomplete=\"postal-code\" maxlength=\"12\" required></p>\n",
            escape(words.check.postal)
        ),
    };
    let body = format!(
        "{}<p>{}</p>\n<form method=\"post\" action=\"/portal/check\">\n{}\n{fields}{}</form>\n",
        notice.html(words),
        escape(words.check.text),
        frame::token_field(visitor),
        frame::button(words.check.button)
    );
    frame::page(visitor, Here::Messages, status, words.check.title, &body)
}

fn closed(visitor: &Visitor, text: &str, settings: &crate::pipeline::Settings) -> Response {
    let call = frame::call_us(visitor.words, settings).map(|call| format!("<p>{call}</p>\n"));
    let body = format!("<p>{}</p>\n{}", escape(text), call.unwrap_or_default());
    frame::page(visitor, Here::Messages, StatusCode::FORBIDDEN, visitor.words.open.title, &body)
}

/// Three fields in the order of the language: what everybody can fill in with any keyboard.
fn birth_date(words: &Words) -> String {
    let field = |name: &str, label: &str, digits: u8| {
        format!(
            "<p><label for=\"{name}\">{}</label><input id=\"{name}\" name=\"{name}\" class=\"digits-{digits}\" \
             inputmode=\"numeric\" autocomplete=\"bday-{name}\" maxlength=\"{digits}\" required></p>\n",
            escape(label)
        )
    };
    let check = &words.check;
    let (month, day) = (field("month", check.month, 2), field("day", check.day, 2));
    let (first, second) = match words.language {
        Language::English => (month, day),
        Language::Spanish => (day, month),
    };
    format!(
        "<fieldset aria-describedby=\"birth-hint\"><legend>{}</legend>\n<p class=\"hint\" id=\"birth-hint\">{}</p>\n\
         <div class=\"row\">{first}{second}{}</div></fieldset>\n",
        escape(check.birth),
        escape(check.birth_hint),
        field("year", check.year, 4)
    )
}
