//! The log is opened, moved, removed, replaced and fought over.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;

#[test]
fn the_log_its_lock_and_its_directories_are_made() {
    let place = Place::new();
    let path = place.dir.path().join("var/log/beacon.log");
    let writer = Writer::open(Settings::new(&path)).unwrap();
    store(&writer, "a").unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}: no more than 0640");
    assert_eq!(mode & 0o600, 0o600);
    let lock = fs::read_to_string(place.dir.path().join("var/log/beacon.log.lock")).unwrap();
    assert_eq!(lock, format!("{}\n", std::process::id()));
}

#[test]
fn what_is_no_log_is_refused_by_name() {
    let place = Place::new();
    let error = Writer::open(Settings::new(place.dir.path())).unwrap_err();
    assert!(
        matches!(&error, OpenError::Directory { path } if path == place.dir.path()),
        "{error:?}"
    );
    assert!(
        !place.dir.path().with_extension("lock").exists(),
        "nothing is left behind"
    );

    fs::write(place.dir.path().join("file"), "").unwrap();
    let error = Writer::open(Settings::new(place.dir.path().join("file/beacon.log"))).unwrap_err();
    assert!(
        matches!(error, OpenError::Lock { .. } | OpenError::Parent { .. }),
        "{error:?}"
    );

    let error = Writer::open(Settings::new("")).unwrap_err();
    assert!(matches!(error, OpenError::Open { .. }), "{error:?}");
    assert!(!Path::new(".lock").exists(), "nothing is left behind");
}

#[test]
fn a_second_writer_is_refused_and_told_who_has_the_log() {
    let place = Place::new();
    fs::write(place.log(), "torn").unwrap();
    let first = place.writer();
    fs::write(place.log(), "half a li").unwrap();
    let error = Writer::open(place.settings()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "another writer has beacon log `{log}`: process {} holds `{log}.lock`",
            std::process::id(),
            log = place.log().display()
        )
    );
    assert_eq!(
        place.text(),
        "half a li",
        "a log in other hands is not repaired"
    );
    drop(first);
    Writer::open(place.settings()).expect("the lock went with its holder");
}

#[test]
fn an_unlinked_log_is_made_again() {
    let place = Place::new();
    let writer = place.writer();
    store(&writer, "a").unwrap();
    fs::remove_file(place.log()).unwrap();
    store(&writer, "b").unwrap();
    assert_eq!(place.text(), "b\n");
    assert_eq!(writer.counters().reopens, 1);
}

#[test]
fn a_renamed_log_is_left_alone_and_a_new_one_begun() {
    let place = Place::new();
    let writer = place.writer();
    let rotated = place.dir.path().join("beacon.log.1");
    for n in 0..3 {
        store(&writer, &n.to_string()).unwrap();
        fs::rename(place.log(), &rotated).unwrap();
        assert_eq!(fs::read_to_string(&rotated).unwrap(), format!("{n}\n"));
    }
    store(&writer, "last").unwrap();
    assert_eq!(place.text(), "last\n");
    assert_eq!(writer.counters().reopens, 3);
}

#[test]
fn a_log_put_in_place_of_ours_is_appended_to() {
    let place = Place::new();
    let writer = place.writer();
    store(&writer, "a").unwrap();
    fs::write(place.dir.path().join("other"), "x\n").unwrap();
    fs::rename(place.dir.path().join("other"), place.log()).unwrap();
    store(&writer, "b").unwrap();
    assert_eq!(place.text(), "x\nb\n");
}

#[test]
fn a_log_cut_to_nothing_goes_on_from_its_new_end() {
    let place = Place::new();
    let writer = place.writer();
    store(&writer, "a long line that is cut").unwrap();
    fs::File::options()
        .write(true)
        .open(place.log())
        .unwrap()
        .set_len(0)
        .unwrap();
    store(&writer, "b").unwrap();
    assert_eq!(fs::read(place.log()).unwrap(), b"b\n", "no hole of zeros");
}

#[test]
fn without_its_directory_lines_fail_until_it_is_back() {
    let place = Place::new();
    let dir = place.dir.path().join("disk");
    let writer = Writer::open(Settings::new(dir.join("beacon.log"))).unwrap();
    store(&writer, "a").unwrap();
    fs::remove_dir_all(&dir).unwrap();
    let error = store(&writer, "b").unwrap_err();
    assert!(matches!(error, WriteError::Reopen { .. }), "{error:?}");
    assert!(!dir.exists(), "a disk that went away is not written beside");
    assert!(writer.health().is_err());
    fs::create_dir(&dir).unwrap();
    store(&writer, "c").unwrap();
    assert_eq!(fs::read_to_string(dir.join("beacon.log")).unwrap(), "c\n");
    // The lock went with the directory and had to be taken again.
    let error = Writer::open(Settings::new(dir.join("beacon.log"))).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
}

#[test]
fn health_finds_a_lost_directory_without_traffic() {
    let place = Place::new();
    let dir = place.dir.path().join("disk");
    let writer = Writer::open(Settings::new(dir.join("beacon.log"))).unwrap();
    store(&writer, "a").unwrap();
    fs::remove_dir_all(&dir).unwrap();
    wait_until("health knows", || writer.health().is_err());
    fs::create_dir(&dir).unwrap();
    wait_until("health knows again", || writer.health().is_ok());
    assert!(dir.join("beacon.log").exists());
}

#[test]
fn a_link_is_followed_and_the_file_behind_it_watched() {
    let place = Place::new();
    let real = place.dir.path().join("real.log");
    symlink(&real, place.log()).unwrap();
    let writer = place.writer();
    store(&writer, "a").unwrap();
    let before = fs::metadata(&real).unwrap().ino();
    fs::remove_file(&real).unwrap();
    fs::write(place.dir.path().join("filler"), "").unwrap();
    store(&writer, "b").unwrap();
    assert_eq!(
        fs::read_to_string(&real).unwrap(),
        "b\n",
        "inode was {before}"
    );
}
