//! Everything that a browser gets from inside the binary: page templates and assets. The door to `minijinja`.
//!
//! Knows how pages are rendered, not what they say: the collector fills the start and call page, the report its own.

mod assets;

pub use assets::{Asset, asset, assets, assets_digest, daily_js_integrity};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{
    AutoEscape, Environment, Output, State, UndefinedBehavior, Value, escape_formatter,
};
use serde::Serialize;
use std::sync::OnceLock;

/// A page could not be rendered: a template asks for a value that nobody gave. A defect of ours, never of the input.
#[derive(Debug, thiserror::Error)]
#[error("cannot render the page `{template}`")]
pub struct Error {
    template: &'static str,
    source: minijinja::Error,
}

/// Renders the template `name` (a file of `site-templates/`) with `context`, escaping every value for HTML.
///
/// # Errors
///
/// Where the template uses a value that `context` does not hold.
pub fn render(name: &'static str, context: impl Serialize) -> Result<String, Error> {
    environment()
        .get_template(name)
        .and_then(|template| template.render(Value::from(Serde(context))))
        .map_err(|source| Error {
            template: name,
            source,
        })
}

/// The templates, by file name. Names end in `.html`, which is what turns minijinja's escaping on.
const TEMPLATES: &[(&str, &str)] = &[
    ("_bar.html", include_str!("../../site-templates/_bar.html")),
    (
        "_quality.html",
        include_str!("../../site-templates/_quality.html"),
    ),
    (
        "_period.html",
        include_str!("../../site-templates/_period.html"),
    ),
    (
        "start.html",
        include_str!("../../site-templates/start.html"),
    ),
    ("call.html", include_str!("../../site-templates/call.html")),
    (
        "report-overview.html",
        include_str!("../../site-templates/report-overview.html"),
    ),
    (
        "report-row.html",
        include_str!("../../site-templates/report-row.html"),
    ),
    (
        "report-room.html",
        include_str!("../../site-templates/report-room.html"),
    ),
    (
        "report-rooms.html",
        include_str!("../../site-templates/report-rooms.html"),
    ),
    (
        "report-call.html",
        include_str!("../../site-templates/report-call.html"),
    ),
];

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // Lines of a template that hold a tag alone are no lines of the page.
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .build()
                .expect("the usual delimiters"),
        );
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_formatter(format);
        for (name, source) in TEMPLATES {
            environment
                .add_template(name, source)
                .expect("templates are parsed by a unit test");
        }
        environment
    })
}

/// As minijinja does it, but for slashes, which it escapes too. In text and in quoted attributes, which is all we have, they are
/// harmless, and a page full of addresses is better read and smaller with them.
fn format(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() && text.contains('/') => {
            for (nth, part) in text.split('/').enumerate() {
                if 0 < nth {
                    out.write_str("/")?;
                }
                escape_formatter(out, state, &Value::from(part))?;
            }
            Ok(())
        }
        _ => escape_formatter(out, state, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_parses() {
        for (name, _) in TEMPLATES {
            assert!(environment().get_template(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn addresses_stay_readable_and_nothing_else_is_let_through() {
        let context = serde_json::json!({
            "assets": "/assets/x/", "version": "1", "token_missing": false, "report_url": "\"</a>&#x2f;'", "reserved": [],
        });
        let page = render("start.html", context).unwrap();
        assert!(page.contains("href=\"/assets/x/tokens.css\""), "{page}");
        assert!(
            page.contains("href=\"&quot;&lt;/a&gt;&amp;#x2f;&#x27;\""),
            "{page}"
        );
    }

    #[test]
    fn a_value_that_is_missing_is_an_error_and_not_a_hole() {
        assert!(render("start.html", ()).is_err());
    }
}
