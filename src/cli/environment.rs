//! Variables of the environment that look like settings of ours and are none: a typing error would go unseen otherwise.
//! What is known comes from the flags themselves. Must never look at a value: it may be a secret.

use super::Cli;
use clap::CommandFactory;

/// What all our variables begin with.
const PREFIX: &str = "CALL_METRICS_";
/// Variables that are read and have no flag: a secret among arguments is seen by every user of the machine.
const FLAGLESS: [&str; 1] = ["CALL_METRICS_PAGE_TOKEN_SECRET"];
/// Least likeness (Jaro-Winkler, 0 to 1) of names that may be meant for each other; of any two of ours it is below.
const LIKENESS_MIN: f64 = 0.9;

/// A variable that no flag reads.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Its name.
    pub name: String,
    /// The variable that was meant, perhaps.
    pub similar: Option<String>,
}

/// Those of `names` that begin as ours do and that no flag of any command reads.
pub fn unknown_variables(names: impl IntoIterator<Item = String>) -> Vec<Unknown> {
    let known = known();
    let ours = names.into_iter().filter(|name| name.starts_with(PREFIX));
    let mut unknown: Vec<Unknown> = ours
        .filter(|name| !known.contains(name))
        .map(|name| Unknown {
            similar: similar(&name, &known),
            name,
        })
        .collect();
    unknown.sort_by(|a, b| a.name.cmp(&b.name));
    unknown
}

fn known() -> Vec<String> {
    let cli = Cli::command();
    let arguments = cli.get_subcommands().flat_map(clap::Command::get_arguments);
    let variables = arguments.filter_map(clap::Arg::get_env);
    let variables = variables.map(|name| name.to_string_lossy().into_owned());
    variables.chain(FLAGLESS.map(str::to_owned)).collect()
}

fn similar(name: &str, known: &[String]) -> Option<String> {
    // Without what all have in common: it would make all alike.
    let own = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
    let likeness = |other: &&String| strsim::jaro_winkler(&own(name), &own(other));
    let nearest = known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (LIKENESS_MIN <= likeness(&nearest)).then(|| nearest.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_no_flag_reads_is_found_with_the_one_that_was_meant() {
        let check = |name: &str, similar: Option<&str>| {
            let found = unknown_variables([name.to_owned()]);
            let expect = Unknown {
                name: name.to_owned(),
                similar: similar.map(str::to_owned),
            };
            assert_eq!(found, [expect]);
        };
        check("CALL_METRICS_LISTN", Some("CALL_METRICS_LISTEN"));
        check(
            "CALL_METRICS_REPORT_PASWORD",
            Some("CALL_METRICS_REPORT_PASSWORD"),
        );
        check(
            "CALL_METRICS_ALLOW_ORIGINS",
            Some("CALL_METRICS_ALLOW_ORIGIN"),
        );
        check("CALL_METRICS_HOST", None);
        check("CALL_METRICS_", None);
    }

    #[test]
    fn variables_of_flags_and_of_others_are_let_be() {
        let names = known()
            .into_iter()
            .chain(["PATH", "CALL_METRICSX", "DAILY_TOKEN"].map(str::to_owned));
        assert_eq!(unknown_variables(names), []);
        assert!(10 < known().len(), "{:?}", known());
    }
}
