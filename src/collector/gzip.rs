//! Compressed answers: whether a client takes them, and those made before, in bounded memory.
//! Must not compress what is small or compressed already.

use super::reply::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Below it compression saves nothing.
const BYTES_MIN: usize = 1024;
/// Above it compression would hold a worker for too long.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// All that is kept, compressed.
const CACHE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Whether `Accept-Encoding` allows gzip.
pub(crate) fn is_accepted(accept_encoding: Option<&str>) -> bool {
    let mut any = None;
    for part in accept_encoding.unwrap_or_default().split(',') {
        let mut words = part.split(';').map(str::trim);
        let coding = words.next().unwrap_or_default();
        let quality = words.find_map(|word| {
            let (name, value) = word.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("q")
                .then(|| value.trim().parse::<f32>())
        });
        let is_wanted = match quality {
            None => true,
            Some(quality) => quality.is_ok_and(|quality| 0.0 < quality),
        };
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            return is_wanted;
        }
        if coding == "*" {
            any = Some(is_wanted);
        }
    }
    any.unwrap_or(false)
}

/// Whether a type is text enough to shrink.
pub(crate) fn is_worth_it(content_type: &str, n_bytes: usize) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    let is_text = kind.starts_with("text/")
        || matches!(
            kind,
            "application/json" | "application/xml" | "image/svg+xml"
        );
    is_text && (BYTES_MIN..=BYTES_MAX).contains(&n_bytes)
}

/// What was compressed before, by a key that changes with the content.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_key: HashMap<String, Arc<[u8]>>,
    /// Oldest first. The report's files change together: age is as good a reason to go as any.
    keys: VecDeque<String>,
    n_bytes: usize,
}

impl Cache {
    /// `bytes` compressed, now or before.
    pub(crate) fn get(&self, key: &str, bytes: &[u8]) -> Bytes {
        let hit = self.lock().by_key.get(key).cloned();
        if let Some(hit) = hit {
            return Bytes::Shared(hit);
        }
        // Outside the lock: two may do the same work, but nobody waits for another's.
        let packed: Arc<[u8]> = compress(bytes).into();
        let mut inner = self.lock();
        if packed.len() <= CACHE_BYTES_MAX / 4 && !inner.by_key.contains_key(key) {
            inner.n_bytes += packed.len();
            inner.by_key.insert(key.to_owned(), Arc::clone(&packed));
            inner.keys.push_back(key.to_owned());
            while CACHE_BYTES_MAX < inner.n_bytes {
                let Some(oldest) = inner.keys.pop_front() else {
                    break;
                };
                let freed = inner
                    .by_key
                    .remove(&oldest)
                    .map_or(0, |packed| packed.len());
                inner.n_bytes -= freed;
            }
        }
        Bytes::Shared(packed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::default());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("writing to memory does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for yes in [
            "gzip",
            "deflate, gzip;q=1.0, *;q=0.5",
            "GZIP",
            "*",
            "br;q=0, gzip ; q=0.1",
        ] {
            assert!(is_accepted(Some(yes)), "{yes}");
        }
        for no in [
            "",
            "br",
            "gzip;q=0",
            "gzip; q=0.0, *",
            "*;q=0",
            "gzip;q=x",
            "notgzip",
        ] {
            assert!(!is_accepted(Some(no)), "{no}");
        }
        assert!(!is_accepted(None));
    }

    #[test]
    fn the_cache_stays_within_its_bounds() {
        let cache = Cache::default();
        // Bytes that gzip cannot shrink.
        let noise: Vec<u8> = std::iter::repeat_with({
            let mut state = 1_u64;
            move || {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (state >> 56) as u8
            }
        })
        .take(3 * 1024 * 1024)
        .collect();
        for i in 0..15 {
            cache.get(&i.to_string(), &noise);
        }
        let inner = cache.lock();
        assert!(inner.n_bytes <= CACHE_BYTES_MAX && CACHE_BYTES_MAX / 2 < inner.n_bytes);
        assert_eq!(inner.by_key.len(), inner.keys.len());
        assert!(inner.by_key.contains_key("14") && !inner.by_key.contains_key("0"));
    }
}
