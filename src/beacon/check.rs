//! A body that arrived to the line that is logged: validated, without white space between tokens, with our `_rx` at the end.

use super::receipt::{Receipt, stamp};
use super::{Refusal, parse};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Deepest nesting of a beacon that the collector takes. Daily's own go to 3; readers written elsewhere stop at a few dozen.
pub const DEPTH_MAX: usize = 32;
/// Bytes that the receipt takes, about.
const RECEIPT_BYTES: usize = 64;

/// A body that is a beacon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The line to log, without its newline.
    pub line: Vec<u8>,
    /// The room as the sender names it.
    pub room: String,
    /// What the page shows to be let in.
    pub page_token: Option<String>,
}

/// Checks that `body` is a beacon and gives the line to log: the object as it was sent, byte for byte apart from white space
/// between tokens, with `"_rx":{"t":…,"synced":…,"crc":"…"}` as its last member. A `_rx` of the sender's own is left out, and so
/// is `pageToken`, which is for the collector and for no reader of the log.
///
/// # Errors
///
/// Says why the body is not a beacon.
pub fn check(body: &[u8], receipt: Receipt) -> Result<Checked, Refusal> {
    let beacon = parse(body)?;
    // `parse` reads past what it does not know without looking closely. Other readers of the log do look: lone surrogates
    // and numbers out of range would stop them, so they stop here.
    serde_json::from_slice::<Sound>(body).map_err(|_| Refusal::NotJson)?;
    Ok(Checked {
        line: stamp(compact(body)?, receipt),
        room: beacon.room.into_owned(),
        page_token: beacon.page_token.map(Cow::into_owned),
    })
}

/// JSON of which every string and every number was read, and nothing kept. What `serde_json::Value` takes, without building it.
struct Sound;

impl<'de> Deserialize<'de> for Sound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sound, D::Error> {
        deserializer.deserialize_any(Sound)
    }
}

impl<'de> Visitor<'de> for Sound {
    type Value = Sound;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_str<E>(self, _: &str) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_unit<E>(self) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Sound, A::Error> {
        while let Some(Sound) = seq.next_element()? {}
        Ok(Sound)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sound, A::Error> {
        while let Some((Sound, Sound)) = map.next_entry()? {}
        Ok(Sound)
    }
}

/// `body` is known to be a beacon, so a JSON object in UTF-8 that has members besides `_rx`.
fn compact(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut line = Vec::with_capacity(body.len() + RECEIPT_BYTES);
    let mut depth = 0_usize;
    // Where in `line` the current member of the outermost object begins, and whether its name was read already.
    let (mut member_start, mut named) = (0, false);
    let mut is_ours = false;
    let mut rest = body;
    while let Some((&byte, tail)) = rest.split_first() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'"' => {
                let (string, tail) = rest.split_at(string_len(rest));
                if depth == 1 && !named {
                    (named, is_ours) = (true, is_name_of_ours(string));
                }
                line.extend_from_slice(string);
                rest = tail;
                continue;
            }
            b',' | b'}' if depth == 1 => {
                if is_ours {
                    line.truncate(member_start);
                } else if named {
                    line.push(b',');
                }
                (member_start, named, is_ours) = (line.len(), false, false);
                if byte == b'}' {
                    line.pop();
                    line.push(byte);
                    break;
                }
            }
            _ => {
                match byte {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                if DEPTH_MAX < depth {
                    return Err(Refusal::TooDeep);
                }
                line.push(byte);
                if depth == 1 && line.len() == 1 {
                    member_start = 1;
                }
            }
        }
        rest = tail;
    }
    Ok(line)
}

/// Length of the string literal that `text` begins with, quotes included.
fn string_len(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Whether a literal spells the name of a member that is not for the log, escaped or not.
fn is_name_of_ours(literal: &[u8]) -> bool {
    let is_ours = |name: &[u8]| matches!(name, b"_rx" | b"pageToken");
    match literal {
        [b'"', name @ .., b'"'] if !name.contains(&b'\\') => is_ours(name),
        _ => serde_json::from_slice::<String>(literal).is_ok_and(|name| is_ours(name.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const IDS: &str = r#""room":"r","meetingSessionId":"m","sessionId":"s","stats":{}"#;

    const RECEIPT: Receipt = Receipt {
        now_ms: 7,
        synced: true,
    };

    /// The line without its checksum.
    #[track_caller]
    fn line(body: &str) -> String {
        let line = String::from_utf8(check(body.as_bytes(), RECEIPT).unwrap().line).unwrap();
        line.rsplit_once(",\"crc\":").unwrap().0.to_owned() + "}}"
    }

    #[test]
    fn the_object_is_kept_byte_for_byte_with_the_receipt_at_its_end() {
        let body = format!(
            "\r\n {{ {IDS} ,\n\t\"n\" : [ 1.50 , -0, 1E3 ], \"s\":\"a \\n \\u2028 {{ , }} \\\\\" }} "
        );
        assert_eq!(
            line(&body),
            format!(
                "{{{IDS},\"n\":[1.50,-0,1E3],\"s\":\"a \\n \\u2028 {{ , }} \\\\\",\"_rx\":{{\"t\":7,\"synced\":true}}}}"
            )
        );
    }

    #[test]
    fn a_forged_receipt_is_left_out_wherever_it_stands() {
        let expect = format!("{{{IDS},\"_rx\":{{\"t\":7,\"synced\":true}}}}");
        for forged in [
            r#""_rx":{"t":1,"a":[{},2]}"#,
            r#""_r\u0078":1"#,
            r#""\u005frx" : "x""#,
        ] {
            assert_eq!(line(&format!("{{{IDS},{forged}}}")), expect);
            assert_eq!(line(&format!("{{{forged},{IDS}}}")), expect);
            assert_eq!(line(&format!("{{ {forged} , {IDS} , {forged} }}")), expect);
        }
        // Deeper down the name is the sender's own affair.
        let inner = format!("{{{IDS},\"x\":{{\"_rx\":1}}}}");
        assert_eq!(
            line(&inner),
            format!("{{{IDS},\"x\":{{\"_rx\":1}},\"_rx\":{{\"t\":7,\"synced\":true}}}}")
        );
    }

    #[test]
    fn the_page_token_is_for_the_collector_alone() {
        let expect = format!("{{{IDS},\"_rx\":{{\"t\":7,\"synced\":true}}}}");
        for (sent, token) in [
            (r#""pageToken":"abc""#, Some("abc")),
            (r#""pageToken" : "x","\u0070ageToken":"abc""#, Some("abc")),
            (r#""pageToken":"abc","pageToken":7"#, None),
            (r#""pageToken":{"a":["}"]}"#, None),
        ] {
            for body in [format!("{{{IDS},{sent}}}"), format!("{{ {sent},{IDS}}}")] {
                let checked = check(body.as_bytes(), RECEIPT).unwrap();
                assert_eq!(line(&body), expect);
                assert_eq!(
                    (checked.room.as_str(), checked.page_token.as_deref()),
                    ("r", token)
                );
            }
        }
        let inner = format!("{{{IDS},\"x\":{{\"pageToken\":1}}}}");
        assert!(line(&inner).contains("pageToken"), "another's affair");
    }

    #[test]
    fn what_other_readers_would_stumble_over_is_refused() {
        let refused = |extra: &str| {
            check(format!("{{{IDS},\"x\":{extra}}}").as_bytes(), RECEIPT).unwrap_err()
        };
        assert_eq!(refused(r#""\ud800""#), Refusal::NotJson);
        assert_eq!(refused("1e999"), Refusal::NotJson);
        assert_eq!(refused("\"\n\""), Refusal::NotJson);
        assert_eq!(refused("NaN"), Refusal::NotJson);
        assert_eq!(
            refused(&format!(
                "{}{}",
                "[".repeat(DEPTH_MAX),
                "]".repeat(DEPTH_MAX)
            )),
            Refusal::TooDeep
        );
        assert_eq!(
            refused(&format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))),
            Refusal::NotJson
        );
        let deep = format!("{}{}", "[".repeat(DEPTH_MAX - 1), "]".repeat(DEPTH_MAX - 1));
        assert!(check(format!("{{{IDS},\"x\":{deep}}}").as_bytes(), RECEIPT).is_ok());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-z_\"\\\\\n]{0,4}|_rx", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_sound_is_what_serde_json_takes(
            value in any_json(),
            at in any::<prop::sample::Index>(),
            new in prop::sample::select(&b"\\\"ud8e9.-+{}[],:0 \n\xff"[..]),
        ) {
            let mut text = serde_json::to_vec(&value).unwrap();
            prop_assert!(serde_json::from_slice::<Sound>(&text).is_ok());
            let at = at.index(text.len());
            text[at] = new;
            prop_assert_eq!(
                serde_json::from_slice::<Sound>(&text).is_ok(),
                serde_json::from_slice::<Value>(&text).is_ok(),
                "{}", String::from_utf8_lossy(&text)
            );
        }

        #[test]
        fn whatever_is_sent_the_line_says_the_same_on_one_line(
            members in prop::collection::btree_map("[a-z_ \"\\\\\n]{1,5}|_rx", any_json(), 0..5),
            pretty in any::<bool>(),
        ) {
            let mut sent = json!({"room": "r", "meetingSessionId": "m", "sessionId": "s", "stats": {}});
            for (name, value) in &members {
                sent.as_object_mut().unwrap().entry(name.clone()).or_insert(value.clone());
            }
            let body = if pretty { serde_json::to_vec_pretty(&sent) } else { serde_json::to_vec(&sent) }.unwrap();
            let Ok(Checked { line, .. }) = check(&body, RECEIPT) else {
                // A random `samples` and the like: refused is fine, as long as it is refused for a reason.
                prop_assert!(parse(&body).is_err());
                return Ok(());
            };
            prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
            sent["_rx"] = json!({"t": 7, "synced": true, "crc": String::from_utf8_lossy(&line[line.len() - 11..line.len() - 3])});
            prop_assert_eq!(serde_json::from_slice::<Value>(&line).unwrap(), sent);
            prop_assert!(super::super::read(&line).is_ok());
        }
    }
}
