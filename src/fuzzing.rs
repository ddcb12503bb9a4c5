//! What must hold of whatever comes from outside, one function a target of `fuzz/`: it takes bytes and panics where something
//! does not hold. Only in builds for the fuzzer and for tests, which replay `fuzz/corpus`.

pub use crate::collector::gate::oracle::{chunked as gate_chunked, request as gate_head};

use crate::beacon::{self, Beacon, Checked, Receipt, Refusal, Scanner};
use crate::log::opened::Opened;
use crate::log::reader::{LINE_BYTES_MAX, Line, read_lines};
use flate2::write::GzEncoder;
use serde_json::Value;
use std::io::Write;
use std::path::Path;

const RECEIPT: Receipt = Receipt {
    now_ms: 7,
    synced: true,
};
/// Bytes at the end of a line: the checksum, its name and the ends of what it stands in.
const CHECKSUM_BYTES: usize = br#","crc":"01234567"}}"#.len();

/// A body of a POST: refused, or a line that says the same on one line, that is read as it was sent, and of which no bit can
/// change unseen.
///
/// # Panics
///
/// Where something does not hold.
pub fn beacon_check(data: &[u8]) {
    let sent = beacon::parse(data);
    let Ok(Checked { mut line, .. }) = beacon::check(data, RECEIPT) else {
        return;
    };
    let sent = sent.expect("nothing is logged that is not read later");
    assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
    let expect = Beacon {
        received_ms: Some(RECEIPT.now_ms as i64),
        synced: Some(RECEIPT.synced),
        page_token: None,
        ..sent
    };
    assert_eq!(beacon::read(&line), Ok(expect));
    let members = |text: &[u8]| {
        let mut value: Value = serde_json::from_slice(text).expect("JSON for every reader");
        let members = value.as_object_mut().expect("an object");
        let receipt = members.remove("_rx");
        members.remove("pageToken");
        (receipt, value)
    };
    let (receipt, logged) = members(&line);
    assert_eq!(logged, members(data).1);
    let receipt = receipt.expect("a receipt");
    assert_eq!(receipt.as_object().expect("an object").len(), 3);
    assert_eq!(
        (&receipt["t"], &receipt["synced"]),
        (&7.into(), &true.into())
    );

    // Anywhere before the checksum; where, follows from the input.
    let n_summed = line.len() - CHECKSUM_BYTES;
    let at = data
        .iter()
        .fold(0, |sum, byte| sum * 31 % n_summed + usize::from(*byte))
        % n_summed;
    line[at] ^= 1 << (data.len() % 8);
    assert_eq!(beacon::read(&line), Err(Refusal::ChecksumMismatch));
}

/// Lines of a log: the scanner makes of them what is made of each alone, to the last bit, whatever came before.
///
/// # Panics
///
/// Where something does not hold.
pub fn beacon_scanner(data: &[u8]) {
    let mut scanner = Scanner::default();
    for line in data.split(|byte| *byte == b'\n') {
        let found = scanner.read(line);
        // As text, because 0 equals -0.
        let text = |read: &Result<Beacon<'_>, Refusal>| format!("{read:?}");
        let expect = text(&beacon::read(line));
        assert_eq!(text(&found), expect, "{}", String::from_utf8_lossy(line));
    }
}

/// A log: as it is every line counts, once and whole; compressed by us it is the same; as a compressed file it is no trouble.
///
/// # Panics
///
/// Where something does not hold.
pub fn log_reader(data: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    };
    let (plain, broken) = lines(&file("log", data));
    let expect: Vec<&[u8]> = data.split_inclusive(|byte| *byte == b'\n').collect();
    let expect = expect.iter().filter_map(|line| line.strip_suffix(b"\n"));
    let expect: Vec<Option<Vec<u8>>> = expect
        .map(|line| (line.len() <= LINE_BYTES_MAX).then(|| line.to_vec()))
        .collect();
    assert_eq!((&plain, broken), (&expect, false));

    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(data).expect("memory");
    let packed = packed.finish().expect("memory");
    assert_eq!(lines(&file("packed.gz", &packed)), (plain, false));

    lines(&file("raw.gz", data));
    lines(&file("raw.zst", data));
}

/// The lines of a file, `None` for one that is too long, and whether it ended early. Each line is read as a beacon, too.
fn lines(path: &Path) -> (Vec<Option<Vec<u8>>>, bool) {
    let mut found = Vec::new();
    let file = Opened::of(path.to_owned()).expect("a file of ours");
    let extent = read_lines(&file, .., |line| {
        found.push(match line {
            Line::Whole(text) => {
                let _ = beacon::read(text);
                Some(text.to_vec())
            }
            Line::TooLong => None,
        });
    });
    (found, extent.expect("a file of ours").broken.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, Wanted};
    use proptest::prelude::*;
    use proptest::sample::Index;
    use std::sync::LazyLock;

    /// What the fuzzer was given and what it found.
    fn replay(target: &str, check: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(target);
        let mut n_files = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let held = std::panic::catch_unwind(|| check(&bytes));
            assert!(held.is_ok(), "{}", path.display());
            n_files += 1;
        }
        assert!(10 < n_files, "{}: {n_files} files", folder.display());
    }

    #[test]
    fn what_was_found_at_the_gate_holds() {
        replay("gate_head", gate_head);
        replay("gate_chunked", gate_chunked);
    }

    #[test]
    fn what_was_found_in_beacons_holds() {
        replay("beacon_check", beacon_check);
    }

    #[test]
    fn what_was_found_in_scanned_lines_holds() {
        replay("beacon_scanner", beacon_scanner);
    }

    /// Lines of every shape, as collectors write them, but without the checksum: what is changed must come to be read.
    static LINES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let mut log = Vec::new();
        let wanted = Wanted {
            calls: 5,
            seed: 7,
            days: 1,
            until_ms: 1_795_449_870_771,
            one_reading: false,
        };
        sample::write(&wanted, &mut log).unwrap();
        let lines = log.split(|byte| *byte == b'\n').step_by(7);
        let lines = lines.map(|line| match memchr::memmem::rfind(line, b",\"crc\":\"") {
            Some(at) => [&line[..at], b"}}"].concat(),
            None => line.to_vec(),
        });
        let lines: Vec<Vec<u8>> = lines.collect();
        // Few lines of a made-up log tell of events that anything follows from.
        let n_lines = lines.len();
        let eventful = EVENTFUL.iter().cycle().take(n_lines / 4);
        let eventful = eventful.map(|line| line.as_bytes().to_vec());
        lines.into_iter().chain(eventful).collect()
    });

    const EVENTFUL: [&str; 3] = [
        r#"{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{},"events":[{"t":1795449870771,"type":"network-connection","connection":"sfu","event":"interrupted","sfu_id":"x"},{"t":1795449872771,"type":"network-connection","connection":"sfu","event":"connected"}],"client":{"os":"macOS"}}"#,
        r#"{"room":"r","meetingSessionId":"m","sessionId":"s","events":[{"type":"cpu-load-change","cpuLoadState":"high","t":1795449870.771},7,null,[{}],{"type":"camera-state","state":"off","t":1795449870771}],"stats":{}}"#,
        r#"{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{},"events":{"t":1},"events":[{"t":1,"t":1795449870771,"type":"camera-state","type":"cpu-load-change","cpuLoadState":"low","networkStateReasons":["a"]}]}"#,
    ];

    /// What a change puts in the place of something else.
    const ODD: [&str; 26] = [
        "",
        " ",
        ",",
        ":",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        "\\u0041",
        "null",
        "true",
        "-",
        "-0",
        ".",
        "e",
        "0",
        "1e5",
        "9007199254740993",
        "18446744073709551616",
        "0.30000000000000004",
        "5e-324",
        "1e400",
        "\u{e9}",
        "\"stats\":{\"latest\":7},",
    ];

    #[derive(Debug, Clone)]
    struct Change {
        line: Index,
        at: Index,
        length: usize,
        odd: usize,
    }

    fn changes() -> impl Strategy<Value = Vec<(Index, Vec<Change>)>> {
        let change = (any::<Index>(), any::<Index>(), 0..12_usize, 0..ODD.len());
        let change = change.prop_map(|(line, at, length, odd)| Change {
            line,
            at,
            length,
            odd,
        });
        let changes = proptest::collection::vec(change, 0..3);
        proptest::collection::vec((any::<Index>(), changes), 1..6)
    }

    #[test]
    fn most_lines_of_a_log_are_beacons() {
        let n_beacons = LINES
            .iter()
            .filter(|line| beacon::read(line).is_ok())
            .count();
        assert!(
            100 < n_beacons && LINES.len() / 2 < n_beacons,
            "{n_beacons} of {}",
            LINES.len()
        );
        beacon_scanner(&LINES.join(&b'\n'));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        /// Changes put a piece of another line, or something odd, in the place of something.
        #[test]
        fn the_scanner_reads_what_is_read_without_it(changes in changes()) {
            let mut log = Vec::new();
            for (line, changes) in changes {
                let mut line = line.get(&LINES).clone();
                for Change { line: other, at, length, odd } in changes {
                    if line.is_empty() {
                        continue;
                    }
                    let from = at.index(line.len());
                    let to = (from + length).min(line.len());
                    let other = other.get(&LINES);
                    let piece = match odd % 2 {
                        0 => ODD[odd].as_bytes(),
                        _ => &other[other.len().min(from)..other.len().min(to + odd)],
                    };
                    line.splice(from..to, piece.iter().copied());
                }
                log.extend(line);
                log.push(b'\n');
            }
            beacon_scanner(&log);
        }
    }

    #[test]
    fn what_was_found_in_logs_holds() {
        replay("log_reader", log_reader);
    }
}
