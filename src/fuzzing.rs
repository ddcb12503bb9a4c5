//! What must hold of whatever comes from outside, one function a target of `fuzz/`: it takes bytes and panics where something
//! does not hold. Only in builds for the fuzzer and for tests, which replay `fuzz/corpus`.

pub use crate::collector::gate::oracle::{chunked as gate_chunked, request as gate_head};

use crate::beacon::{self, Beacon, Checked, Receipt, Refusal};
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
    let extent = read_lines(&file, 0, |line| {
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
    fn what_was_found_in_logs_holds() {
        replay("log_reader", log_reader);
    }
}
