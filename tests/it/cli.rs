//! What the program says of itself, and what wrong usage gets: one line what, one line what to do, exit code 2.

use crate::support::program::{Folder, Run};

#[track_caller]
fn refused(run: &Run, what: &str) {
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(
        (run.code, run.stdout.as_str(), lines.len()),
        (2, "", 2),
        "{run:?}"
    );
    assert!(
        lines[0].starts_with("call-metrics: error: ") && lines[0].contains(what),
        "{run:?}"
    );
    assert!(lines[1].starts_with("call-metrics: hint: "), "{run:?}");
}

#[test]
fn help_and_version_go_to_stdout() {
    let folder = Folder::new();
    for (args, expect) in [
        ("--help", "build-report"),
        ("serve --help", "CALL_METRICS_LISTEN"),
        ("build-report --help", "--out"),
        ("sample-log --help", "--seed"),
        ("--version", env!("CARGO_PKG_VERSION")),
    ] {
        let run = folder.run(args);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{args}");
        assert!(run.stdout.contains(expect), "{args}: {}", run.stdout);
    }
}

#[test]
fn wrong_usage_is_two_lines_and_exit_code_2() {
    let folder = Folder::new();
    refused(&folder.run(""), "no command given");
    refused(&folder.run("build"), "unrecognized subcommand `build`");
    refused(
        &folder.run("serve --port 1"),
        "unexpected argument `--port`",
    );
    refused(
        &folder.run("serve --listen nowhere"),
        "invalid value `nowhere` for `--listen`",
    );
    refused(
        &folder.run("serve --sample-interval soon"),
        "invalid value `soon` for `--sample-interval`",
    );
    refused(
        &folder.run("serve --allow-origin *"),
        "invalid value `*` for `--allow-origin`",
    );
    refused(
        &folder.run("sample-log --until today"),
        "invalid value `today` for `--until`",
    );
    refused(
        &folder.run("sample-log --days 0"),
        "invalid value `0` for `--days",
    );
}

#[test]
fn settings_come_from_flags_then_the_environment_then_the_file() {
    let folder = Folder::new();
    folder.write(".env", "CALL_METRICS_CALLS=0\nCALL_METRICS_LOG=other.log\n");
    assert_eq!(folder.run("sample-log").stdout, "");
    assert!(!folder.run("sample-log --calls 1").stdout.is_empty());
    let run = Run::of(
        folder
            .command("sample-log")
            .env("CALL_METRICS_CALLS", "1")
            .output()
            .unwrap(),
    );
    assert!(!run.stdout.is_empty(), "the environment wins over the file");
    assert!(folder.run("build-report").stderr.contains("`other.log`"));
}

#[test]
fn switches_in_the_environment_are_on_or_off_in_any_usual_spelling() {
    let folder = Folder::new();
    folder.write("beacon.log", "");
    for value in ["1", "true", "yes", "on", "0", "false", "no", "off", ""] {
        let run = Run::of(
            folder
                .command("build-report")
                .env("CALL_METRICS_FULL", value)
                .output()
                .unwrap(),
        );
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{value}");
    }
    let run = Run::of(
        folder
            .command("build-report")
            .env("CALL_METRICS_FULL", "maybe")
            .output()
            .unwrap(),
    );
    refused(&run, "write true or false");
    let mut serve = folder.command("serve --listen 127.0.0.1:0");
    serve
        .env("CALL_METRICS_WATCH", "0")
        .env("CALL_METRICS_BEACON_URL", "")
        .env("PORT", "");
    assert!(
        crate::support::program::Running::start(serve)
            .ready
            .starts_with("listening on")
    );
}

#[test]
fn a_settings_file_that_cannot_be_read_is_said_without_its_content() {
    let folder = Folder::new();
    folder.write(".env", "DAILY_TOKEN 'sekret\n");
    let run = folder.run("sample-log");
    refused(&run, "cannot read settings `.env`");
    assert!(!run.stderr.contains("sekret"), "{}", run.stderr);
    // A `$` would be taken for a variable, and the password cut there.
    folder.write(".env", "# costs 1$\nCALL_METRICS_REPORT_PASSWORD=pa$word\n");
    let run = folder.run("sample-log");
    refused(&run, "line 2 has a `$`");
    assert!(!run.stderr.contains("pa$word"), "{}", run.stderr);
    folder.write(".env", "CALL_METRICS_REPORT_PASSWORD='pa$word'\n");
    assert_eq!(folder.run("sample-log --calls 0").code, 0);
}

#[test]
fn a_token_that_cannot_be_one_is_refused_unseen() {
    let folder = Folder::new();
    let run = Run::of(
        folder
            .command("serve --listen 127.0.0.1:0")
            .env("DAILY_TOKEN", "sek ret")
            .output()
            .unwrap(),
    );
    refused(&run, "`DAILY_TOKEN`");
    assert!(!run.stderr.contains("sek ret"), "{}", run.stderr);
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let folder = Folder::new();
    let script = format!(
        "set -o pipefail; {} sample-log | head -n 1 | wc -l",
        env!("CARGO_BIN_EXE_call-metrics")
    );
    let mut shell = std::process::Command::new("bash");
    let run = Run::of(
        shell
            .args(["-c", &script])
            .current_dir(folder.path(""))
            .output()
            .unwrap(),
    );
    assert_eq!(
        (run.code, run.stdout.trim(), run.stderr.as_str()),
        (0, "1", "")
    );
}

#[test]
fn a_variable_that_no_flag_reads_is_told_with_the_one_that_was_meant() {
    let folder = Folder::new();
    let mut command = folder.command("sample-log --calls 0");
    command
        .env("CALL_METRICS_REPORT_PASWORD", "sesame")
        .env("CALL_METRICS_X\u{1b}", "")
        .env("CALL_METRICS_LOG_FORMAT", "json");
    let run = Run::of(command.output().unwrap());
    let expect = "call-metrics: warning: `CALL_METRICS_REPORT_PASWORD` is set, but there is no such setting\n\
                  call-metrics: hint: `CALL_METRICS_REPORT_PASSWORD` may be meant\n\
                  call-metrics: warning: `CALL_METRICS_X\\u{1b}` is set, but there is no such setting\n\
                  call-metrics: hint: `call-metrics serve --help` tells those that there are\n";
    assert_eq!((run.code, run.stderr.as_str()), (0, expect));
}

#[test]
fn a_log_that_holds_no_beacon_is_told_with_the_reasons() {
    let folder = Folder::new();
    folder.write("access.log", "GET /\nGET /\n[]\n");
    let run = folder.run("build-report --log access.log");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stderr.starts_with(
            "call-metrics: warning: no line of `access.log` is a beacon: 3 lines skipped (not-an-object 1, not-json 2)\n\
             call-metrics: hint: "
        ),
        "{}",
        run.stderr
    );
    folder.write("empty.log", "");
    let run = folder.run("build-report --log empty.log --out empty");
    assert_eq!(run.stderr, "");
}
