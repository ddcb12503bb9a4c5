//! What the collector adds to a beacon: when it came, how safe it was when that was acknowledged, and a checksum of the line.
//!
//! The checksum stands at the very end, over every byte before it, so that a line is verified as it lies there, before any of
//! it is parsed. It is no secret and keeps nobody from forging a line; it tells a line as it was written from one that a disk,
//! a crash or a hand has changed since.

use super::{Beacon, Refusal, parse};
use crate::digest::checksum;
use std::io::Write;

/// What stands between the bytes that are summed and the sum.
const CRC_NAME: &[u8] = b",\"crc\":\"";
/// Hex digits of a CRC32C.
const CRC_DIGITS: usize = 8;
/// What stands behind them: the ends of the string, of `_rx` and of the line.
const CRC_END: &[u8] = b"\"}}";

/// What the collector knows of a beacon that its sender does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// When it was accepted, ms since the epoch.
    pub now_ms: u64,
    /// Whether 204 means that the line is synced to disk; else that the operating system has it.
    pub synced: bool,
}

/// Makes an object a line of the log: `object`, which must have a member, gets the receipt as its last one, and the checksum.
pub(super) fn stamp(mut object: Vec<u8>, receipt: Receipt) -> Vec<u8> {
    let Receipt { now_ms, synced } = receipt;
    object.pop();
    // Writing to a vector does not fail.
    let _ = write!(object, ",\"_rx\":{{\"t\":{now_ms},\"synced\":{synced}");
    let sum = digits(&object);
    object.extend_from_slice(CRC_NAME);
    object.extend_from_slice(&sum);
    object.extend_from_slice(CRC_END);
    object
}

/// Reads one line of the log, without its newline. One without a checksum, as older collectors and people with an editor
/// write them, is read as it is.
///
/// # Errors
///
/// As [`parse`], and [`Refusal::ChecksumMismatch`] where the line is not what was written.
pub fn read(line: &[u8]) -> Result<Beacon<'_>, Refusal> {
    verify(line)?;
    parse(line)
}

/// Refuses a line that is not what was written.
pub(super) fn verify(line: &[u8]) -> Result<(), Refusal> {
    match split(line) {
        Some((summed, sum)) if sum != digits(summed) => Err(Refusal::ChecksumMismatch),
        _ => Ok(()),
    }
}

/// The bytes that are summed and the sum as it is written; `None` for a line without one.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    // An editor or a copy may have turned the line ends; that changed no byte of ours.
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (rest, sum) = line
        .strip_suffix(CRC_END)?
        .split_last_chunk::<CRC_DIGITS>()?;
    Some((rest.strip_suffix(CRC_NAME)?, sum))
}

fn digits(bytes: &[u8]) -> [u8; CRC_DIGITS] {
    let sum = checksum([bytes]);
    std::array::from_fn(|at| b"0123456789abcdef"[(sum >> (28 - 4 * at)) as usize & 0xf])
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;
    use proptest::prelude::*;

    const RECEIPT: Receipt = Receipt {
        now_ms: 1_795_449_870_771,
        synced: true,
    };

    fn line(extra: &str) -> Vec<u8> {
        let body =
            format!(r#"{{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{{}}{extra}}}"#);
        check(body.as_bytes(), RECEIPT).unwrap().line
    }

    #[test]
    fn the_checksum_is_crc32c_in_hex_at_the_very_end() {
        // The check value of the catalogue of CRC algorithms for CRC-32/ISCSI.
        assert_eq!(&digits(b"123456789"), b"e3069283");
        assert_eq!(&digits(b""), b"00000000");
        let line = String::from_utf8(line("")).unwrap();
        let (summed, end) = line.split_once(",\"crc\":").unwrap();
        assert!(summed.ends_with(r#","_rx":{"t":1795449870771,"synced":true"#));
        assert_eq!(
            end,
            format!("\"{:08x}\"}}}}", checksum([summed.as_bytes()]))
        );
    }

    #[test]
    fn a_line_that_was_changed_is_refused_and_one_without_a_checksum_is_not() {
        let whole = String::from_utf8(line(r#","seq":4"#)).unwrap();
        let beacon = read(whole.as_bytes()).unwrap();
        assert_eq!((beacon.seq, beacon.synced), (Some(4), Some(true)));
        let read_text = |text: &str| read(text.as_bytes()).map(|beacon| beacon.seq);
        let edited = whole.replace("\"seq\":4", "\"seq\":5");
        for end in ["", "\r"] {
            assert_eq!(read_text(&(whole.clone() + end)), Ok(Some(4)));
            let mismatch = Err(Refusal::ChecksumMismatch);
            assert_eq!(read_text(&(edited.clone() + end)), mismatch);
        }
        let (summed, _) = edited.split_once(",\"crc\"").unwrap();
        assert_eq!(read_text(&format!("{summed}}}}}")), Ok(Some(5)));
        let (body, _) = edited.split_once(",\"_rx\"").unwrap();
        assert_eq!(read_text(&format!("{body}}}")), Ok(Some(5)));
        // Two writers at once, or a torn end with the next line behind it.
        let torn = format!("{}{whole}", &whole[..whole.len() / 2]);
        assert_eq!(read_text(&torn), Err(Refusal::ChecksumMismatch));
        let shouted =
            whole[..whole.len() - 11].to_owned() + &whole[whole.len() - 11..].to_uppercase();
        assert_eq!(
            read_text(&shouted).is_ok(),
            shouted == whole,
            "upper-case digits are not what was written"
        );
    }

    #[test]
    fn a_line_of_the_log_may_be_sent_once_more_whole_or_changed() {
        let whole = line("");
        let later = Receipt {
            now_ms: RECEIPT.now_ms + 1,
            synced: false,
        };
        let mut changed = whole.clone();
        changed[9] ^= 1;
        for body in [&whole, &changed] {
            let again = check(body, later).unwrap().line;
            assert_eq!(read(&again).unwrap().synced, Some(false));
            assert_eq!(
                again.windows(5).filter(|part| part == b"\"crc\"").count(),
                1
            );
        }
    }

    #[test]
    fn no_single_bit_can_flip_unseen() {
        let whole = line(
            r#","seq":41,"name":"Ana","samples":{"timestamp":[1795449870000],"recvBitsPerSecond":[1]}"#,
        );
        let expect = read(&whole).unwrap();
        let mut n_refused = 0;
        for bit in 0..8 * whole.len() {
            let mut line = whole.clone();
            line[bit / 8] ^= 1 << (bit % 8);
            // A newline makes two lines of one.
            for part in line.split(|byte| *byte == b'\n') {
                match read(part) {
                    // A bit of the receipt's own spelling: what was sent is untouched.
                    Ok(beacon) => assert_eq!(beacon, expect, "bit {bit}"),
                    Err(_) => n_refused += 1,
                }
            }
        }
        assert!(
            8 * whole.len() - 8 * CRC_NAME.len() <= n_refused,
            "{n_refused}"
        );
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_sent(
            name in ".{0,12}",
            seq in 0..=1_u64 << 53,
            values in prop::collection::vec(prop::option::of(-1e15..1e15), 0..9),
            synced in any::<bool>(),
            flipped in any::<prop::sample::Index>(),
        ) {
            let timestamps: Vec<u64> = (0..values.len() as u64).map(|n| RECEIPT.now_ms + 2_000 * n).collect();
            let body = serde_json::json!({
                "room": "r", "meetingSessionId": "m", "sessionId": "s", "name": name, "seq": seq, "stats": {},
                "samples": {"timestamp": timestamps, "recvBitsPerSecond": values},
            });
            let body = serde_json::to_vec_pretty(&body).unwrap();
            let mut sent = parse(&body).unwrap();
            (sent.received_ms, sent.synced) = (Some(RECEIPT.now_ms as i64), Some(synced));
            let mut line = check(&body, Receipt { synced, ..RECEIPT }).unwrap().line;
            prop_assert_eq!(&read(&line).unwrap(), &sent);
            let bit = flipped.index(8 * line.len());
            line[bit / 8] ^= 1 << (bit % 8);
            for part in line.split(|byte| *byte == b'\n') {
                if let Ok(beacon) = read(part) {
                    prop_assert_eq!(&beacon, &sent);
                }
            }
        }
    }
}
