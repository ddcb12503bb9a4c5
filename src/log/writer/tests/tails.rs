//! A last line without its newline is kept aside and never glued to the next.

use super::*;

#[test]
fn every_cut_of_the_last_two_lines_keeps_the_whole_lines_and_the_tail() {
    let whole = "{\"n\":1}\n{\"n\":22}\n{\"n\":333}\n";
    let first = whole.find('\n').unwrap() + 1;
    for cut in first..=whole.len() {
        let place = Place::new();
        fs::write(place.log(), &whole[..cut]).unwrap();
        let keep = whole[..cut].rfind('\n').unwrap() + 1;
        let writer = place.writer();
        assert_eq!(place.text(), whole[..keep], "cut at {cut}");
        let torn = place.names_with("torn");
        if keep == cut {
            assert_eq!(
                (torn.len(), writer.counters().sealed_tails),
                (0, 0),
                "cut at {cut}"
            );
        } else {
            assert_eq!(torn, ["beacon.log.torn-1795449870771"], "cut at {cut}");
            assert_eq!(
                fs::read_to_string(place.dir.path().join(&torn[0])).unwrap(),
                whole[keep..cut]
            );
            assert_eq!(writer.counters().sealed_tails, 1);
        }
        store(&writer, "next").unwrap();
        assert_eq!(
            place.text(),
            format!("{}next\n", &whole[..keep]),
            "cut at {cut}"
        );
    }
}

#[test]
fn a_log_without_any_newline_is_all_tail() {
    let place = Place::new();
    fs::write(place.log(), b"\0\0\0").unwrap();
    let _writer = place.writer();
    assert_eq!(place.text(), "");
    assert_eq!(
        fs::read(place.dir.path().join("beacon.log.torn-1795449870771")).unwrap(),
        b"\0\0\0"
    );
}

#[test]
fn a_tail_longer_than_what_is_read_at_once_is_kept_whole() {
    for len in [64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 200_000] {
        let place = Place::new();
        let tail = "x".repeat(len);
        fs::write(place.log(), format!("a\n{tail}")).unwrap();
        let _writer = place.writer();
        assert_eq!(place.text(), "a\n", "{len}");
        let kept =
            fs::read_to_string(place.dir.path().join("beacon.log.torn-1795449870771")).unwrap();
        assert!(kept == tail, "{len}: kept {}", kept.len());
    }
}

#[test]
fn tails_of_one_millisecond_do_not_overwrite_each_other() {
    let place = Place::new();
    for tail in ["one", "two"] {
        fs::write(place.log(), tail).unwrap();
        drop(place.writer());
    }
    assert_eq!(
        place.names_with("torn"),
        [
            "beacon.log.torn-1795449870771",
            "beacon.log.torn-1795449870771-1"
        ]
    );
}

#[test]
fn a_tail_that_cannot_be_kept_is_not_cut_off() {
    let place = Place::new();
    fs::write(place.log(), "a\ntorn").unwrap();
    // Every name for the copy is taken, by directories.
    fs::create_dir(place.dir.path().join("beacon.log.torn-1795449870771")).unwrap();
    for n in 1..100 {
        fs::create_dir(
            place
                .dir
                .path()
                .join(format!("beacon.log.torn-1795449870771-{n}")),
        )
        .unwrap();
    }
    let error = Writer::open_on(place.settings(), Box::new(Disk), Arc::new(clock)).unwrap_err();
    assert!(matches!(error, OpenError::Repair { .. }), "{error:?}");
    assert_eq!(place.text(), "a\ntorn");
}

#[test]
fn half_a_line_that_another_program_appended_is_sealed_before_the_next() {
    let place = Place::new();
    let writer = place.writer();
    store(&writer, "a").unwrap();
    fs::write(place.log(), "a\nb\nhalf").unwrap();
    store(&writer, "c").unwrap();
    assert_eq!(place.text(), "a\nb\nc\n");
    assert_eq!(writer.counters().sealed_tails, 1);
}
