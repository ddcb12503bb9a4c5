//! The shape of the code: layers point one way, one door a dependency, and no file outgrows its reader.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules of the crate and the ones that each may name. Lower ones first; what is not listed may be named by all.
const LAYERS: &[(&str, &[&str])] = &[
    ("digest", &[]),
    ("metric", &[]),
    ("plain", &[]),
    ("notice", &["plain"]),
    ("units", &["metric"]),
    ("beacon", &["digest", "metric"]),
    ("call", &["beacon", "digest", "metric", "plain", "units"]),
    ("rules", &["call", "metric", "units"]),
    ("sample", &["beacon", "metric"]),
    ("log", &["digest", "plain"]),
    ("daily", &[]),
    ("watch", &[]),
    ("site", &["digest"]),
    (
        "report",
        &["beacon", "call", "digest", "log", "metric", "site", "units"],
    ),
    (
        "collector",
        &[
            "beacon", "config", "daily", "digest", "log", "notice", "plain", "site",
        ],
    ),
    ("fuzzing", &["beacon", "collector", "log"]),
    ("cli", &[]),
    (
        "config",
        &["cli", "daily", "log", "metric", "notice", "rules"],
    ),
    (
        "cmd",
        &[
            "cli",
            "collector",
            "config",
            "daily",
            "log",
            "notice",
            "plain",
            "report",
            "rules",
            "sample",
            "watch",
        ],
    ),
];

/// Crates and the only modules that may name each.
const DOORS: &[(&str, &str)] = &[
    ("anyhow", "cmd"),
    ("clap", "cli"),
    ("dotenvy", "cli"),
    ("tiny_http", "collector"),
    ("httparse", "collector"),
    ("socket2", "collector"),
    ("memmap2", "collector"),
    ("mio", "collector"),
    ("listenfd", "cmd"),
    ("base64", "collector"),
    ("base64", "report"),
    ("signal_hook", "cmd"),
    ("sd_notify", "cmd"),
    ("strsim", "cli"),
    ("strsim", "rules"),
    ("ureq", "daily"),
    ("notify", "watch"),
    ("charming", "report"),
    ("minijinja", "site"),
    ("ruzstd", "log"),
    ("glob", "log"),
    ("indicatif", "cmd"),
    ("memchr", "beacon"),
    ("memchr", "log"),
    ("memchr", "report"),
    ("rustix", "collector"),
    ("rustix", "log"),
    ("sha2", "digest"),
    ("hmac", "digest"),
    ("getrandom", "digest"),
    ("ipnet", "config"),
    ("regex_lite", "daily"),
    ("crc32c", "digest"),
    ("postcard", "report"),
];

/// More than this in one file asks for a split.
const FILE_LINES_MAX: usize = 600;

fn sources() -> Vec<(String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inner = path.strip_prefix(&src).unwrap();
                let first = inner
                    .components()
                    .next()
                    .unwrap()
                    .as_os_str()
                    .to_string_lossy();
                let module = first.trim_end_matches(".rs").to_owned();
                let text = fs::read_to_string(&path).unwrap();
                found.push((module, path, text));
            }
        }
    }
    assert!(50 < found.len(), "only {} files found", found.len());
    found
}

/// Code before the unit tests at a file's foot; comments count not.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let own = text.split("#[cfg(test)]").next().unwrap_or_default();
    own.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
        || path
            .file_stem()
            .is_some_and(|stem| stem.to_string_lossy().contains("tests"))
}

/// Whether `line` names `word::`, as a whole word.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(&format!("{word}::")).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[test]
fn layers_point_one_way() {
    for (module, path, text) in sources() {
        if matches!(module.as_str(), "lib" | "main") || is_test(&path) {
            continue;
        }
        let (_, allowed) = LAYERS
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("no layer for {module}"));
        for line in code(&text) {
            for (other, _) in LAYERS
                .iter()
                .filter(|(other, _)| *other != module && !allowed.contains(other))
            {
                assert!(
                    !line.contains(&format!("crate::{other}")),
                    "{} names {other}: {line}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn one_door_a_dependency() {
    for (module, path, text) in sources() {
        for line in code(&text).filter(|_| !is_test(&path)) {
            for (dependency, _) in DOORS {
                let is_door = DOORS.contains(&(dependency, module.as_str()));
                assert!(
                    is_door || !names(line, dependency),
                    "{} names {dependency}: {line}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn no_file_outgrows_its_reader_and_each_says_what_it_is_for() {
    for (_, path, text) in sources() {
        assert!(
            text.lines().count() <= FILE_LINES_MAX,
            "{} has {} lines",
            path.display(),
            text.lines().count()
        );
        assert!(
            text.starts_with("//!"),
            "{} does not begin with what it is for",
            path.display()
        );
    }
}

#[test]
fn the_changelog_knows_the_version() {
    let changelog = include_str!("../../CHANGELOG.md");
    assert!(
        changelog.contains(concat!("## ", env!("CARGO_PKG_VERSION")))
            || changelog.contains("## Unreleased")
    );
}

#[test]
fn every_flag_is_in_the_settings_example() {
    let example = include_str!("../../.env.example");
    let variables = [
        include_str!("../../src/cli.rs"),
        include_str!("../../src/cli/serve.rs"),
        include_str!("../../src/cli/check.rs"),
    ];
    let variables = variables
        .iter()
        .flat_map(|text| text.split('"'))
        .filter(|text| text.starts_with("CALL_METRICS_"));
    let serve_alone = |variable: &&str| {
        !matches!(
            *variable,
            "CALL_METRICS_CALLS"
                | "CALL_METRICS_SEED"
                | "CALL_METRICS_DAYS"
                | "CALL_METRICS_UNTIL"
                | "CALL_METRICS_ONE_READING"
        )
    };
    for variable in variables.filter(serve_alone) {
        assert!(example.contains(&format!("{variable}=")), "{variable}");
    }
}

/// Who is refused looks the reason up.
#[test]
fn every_reason_of_the_gate_is_in_the_readme() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(top.join("src/collector/gate/refusal.rs")).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    let readme = fs::read_to_string(top.join("README.md")).unwrap();
    let is_reason = |text: &&str| {
        let kebab = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        !text.is_empty() && text.bytes().all(kebab)
    };
    let reasons: Vec<&str> = code
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(is_reason)
        .collect();
    assert!(20 < reasons.len(), "{reasons:?}");
    for reason in reasons {
        assert!(readme.contains(&format!("`{reason}`")), "{reason}");
    }
}
