//! The log of a running server is rotated, by itself and by others, and no acknowledged beacon is missing afterwards.

use crate::support::program::{Folder, Running, beacon, get, post, wait_for};
use std::process::Command;

const T: i64 = 1_795_449_870_000;

fn serve(folder: &Folder, args: &str) -> Running {
    Running::start(folder.command(&format!("serve --listen 127.0.0.1:0 {args}")))
}

/// Names of files that begin with the log's name and then `begin`.
fn names(folder: &Folder, begin: &str) -> Vec<String> {
    let begin = format!("beacon.log{begin}");
    let entries = std::fs::read_dir(folder.path("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(&begin)).collect()
}

fn metric(server: &Running, name: &str) -> String {
    let text = get(&format!("{}/metrics", server.url())).body;
    let row = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("call_metrics_{name} ")));
    row.unwrap_or_else(|| panic!("no {name} in {text}"))
        .to_owned()
}

#[test]
fn all_beacons_are_in_the_report_after_rotation_and_compression() {
    let folder = Folder::new();
    std::fs::write(folder.path("beacon.log-20200101T000000Z"), "old\n").unwrap();
    let server = serve(
        &folder,
        "--rotate-size 64KiB --rotate-daily --rotate-gzip --retain-days 3650000",
    );
    let pad = "x".repeat(20_000);
    for n in 0..12 {
        let text = beacon("room", &format!("s{n}"), T).to_string();
        let text = format!(
            "{},\"pad\":\"{pad}\"}}",
            text.trim_end().trim_end_matches('}')
        );
        assert_eq!(post(&format!("{}/beacon", server.url()), text).status, 204);
    }
    assert_eq!(metric(&server, "log_rotations_total"), "3");
    wait_for("the segments to be compressed", || {
        (metric(&server, "log_segments_compressed_total") == "4").then_some(())
    });
    assert_eq!(names(&folder, "-").len(), 4);
    assert!(names(&folder, "-").iter().all(|name| name.ends_with(".gz")));
    assert!(metric(&server, "log_free_bytes").parse::<u64>().unwrap() > 0);
    assert_eq!(metric(&server, "log_info{durability=\"synced\"}"), "1");
    for failures in [
        "log_rotation_failures_total",
        "log_truncations_total",
        "log_sync_failures_total",
    ] {
        assert_eq!(metric(&server, failures), "0");
    }
    let run = folder.run("build-report");
    assert!(run.stdout.contains("12 participants"), "{run:?}");
    assert!(run.stdout.contains(" 1 lines skipped"), "{run:?}");
}

#[test]
fn a_hang_up_opens_the_log_anew_also_without_traffic() {
    let folder = Folder::new();
    let server = serve(&folder, "");
    for n in 1..4 {
        let url = format!("{}/beacon", server.url());
        assert_eq!(post(&url, beacon("r", &format!("s{n}"), T)).status, 204);
        std::fs::rename(
            folder.path("beacon.log"),
            folder.path(&format!("beacon.log.{n}")),
        )
        .unwrap();
        let hang_up = Command::new("kill")
            .args(["-HUP", &server.pid().to_string()])
            .status();
        assert!(hang_up.unwrap().success());
        wait_for("a new log", || {
            folder.path("beacon.log").exists().then_some(())
        });
    }
    assert_eq!(get(&format!("{}/healthz", server.url())).status, 200);
    assert_eq!(metric(&server, "log_reopens_total"), "3");
    assert_eq!(server.stop("TERM").code, 0);
    assert!(folder.run("build-report").stdout.contains("3 participants"));
}

#[test]
fn a_log_that_is_cut_is_told_and_a_disk_without_room_is_refused() {
    let folder = Folder::new();
    let server = serve(&folder, "");
    let url = format!("{}/beacon", server.url());
    assert_eq!(post(&url, beacon("r", "s", T)).status, 204);
    std::fs::write(folder.path("beacon.log"), "").unwrap();
    assert_eq!(post(&url, beacon("r", "s", T)).status, 204);
    assert_eq!(metric(&server, "log_truncations_total"), "1");
    let run = server.stop("TERM");
    assert!(
        run.stderr
            .contains("another program cut beacon log `beacon.log` from "),
        "{run:?}"
    );

    let server = serve(&folder, "--min-free 9000000TB");
    let url = format!("{}/beacon", server.url());
    let reply = post(&url, beacon("r", "s", T));
    assert_eq!(reply.status, 503);
    wait_for("health to know", || {
        let health = get(&format!("{}/healthz", server.url()));
        (health.status == 503 && health.body.starts_with("disk nearly full")).then_some(())
    });
    assert_eq!(folder.read("beacon.log").lines().count(), 1);
}

#[test]
fn a_log_in_the_public_folder_needs_the_password_also_while_it_is_rotated() {
    let folder = Folder::new();
    let server = serve(&folder, "--log public/beacon.log --report-password sesame");
    assert_eq!(
        post(&format!("{}/beacon", server.url()), beacon("r", "s", T)).status,
        204
    );
    let segment = "beacon.log-20261123T170000Z";
    std::fs::rename(
        folder.path("public/beacon.log"),
        folder.path(&format!("public/{segment}")),
    )
    .unwrap();
    assert_eq!(get(&format!("{}/{segment}", server.url())).status, 401);
}

#[test]
fn what_is_kept_beside_a_log_needs_the_password_too_also_where_the_log_is_a_link() {
    let folder = Folder::new();
    for name in ["elsewhere", "public/beacon.log.state"] {
        std::fs::create_dir_all(folder.path(name)).unwrap();
    }
    folder.write("elsewhere/real.log", "");
    let log = folder.path("public/beacon.log");
    std::os::unix::fs::symlink(folder.path("elsewhere/real.log"), log).unwrap();
    let server = serve(&folder, "--log public/beacon.log --report-password sesame");
    folder.write("public/beacon.log.torn-1", "half a line");
    folder.write("public/beacon.log.state/calls", "names");
    folder.write("public/other.txt", "for everybody");
    let status = |path: &str| get(&format!("{}/{path}", server.url())).status;
    assert_eq!(status("beacon.log.torn-1"), 401);
    assert_eq!(status("beacon.log.state/calls"), 401);
    assert_eq!(status("other.txt"), 200);
}
