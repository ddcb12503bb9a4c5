//! Scripts and styles embedded in the binary, under one prefix that changes when any of them does.

/// One file that pages refer to.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// File name, without a folder.
    pub name: &'static str,
    /// What is served and written, byte for byte.
    pub bytes: &'static [u8],
}

/// Files of `site-templates/assets`, listed by build.rs.
const OWN: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/site_assets.rs"));

/// Third-party files, put into `OUT_DIR` by build.rs.
const THIRD_PARTY: &[(&str, &[u8])] = &[
    (
        "echarts.js",
        include_bytes!(concat!(env!("OUT_DIR"), "/echarts.js")),
    ),
    ("NOTICE.txt", include_bytes!("../../NOTICE")),
    #[cfg(daily_js_bundled)]
    (
        "daily.js",
        include_bytes!(concat!(env!("OUT_DIR"), "/daily.js")),
    ),
    #[cfg(daily_js_bundled)]
    (
        "daily-js.LICENSES.txt",
        include_bytes!(concat!(env!("OUT_DIR"), "/daily-js.LICENSES.txt")),
    ),
];

/// Every embedded file.
pub fn assets() -> impl Iterator<Item = Asset> {
    OWN.iter()
        .chain(THIRD_PARTY)
        .map(|&(name, bytes)| Asset { name, bytes })
}

/// The embedded file called `name`.
pub fn asset(name: &str) -> Option<Asset> {
    assets().find(|asset| asset.name == name)
}

/// A name for all assets together: it differs whenever one of them does, so that browsers may keep them for ever.
/// One for all rather than one for each, because ES modules import each other by relative path.
pub fn assets_digest() -> &'static str {
    env!("ASSETS_DIGEST")
}

/// Where the call page loads daily-js from when it is not inside the binary, and the hash it must have there.
/// `None`: it is inside (`daily.js`).
pub fn daily_js_integrity() -> Option<(&'static str, &'static str)> {
    if asset("daily.js").is_some() {
        return None;
    }
    Some((
        "https://unpkg.com/@daily-co/daily-js@0.92.2/dist/daily.js",
        // Of dist/daily.js in the npm package @daily-co/daily-js 0.92.2.
        "sha384-qkOcWks7O6ZM0W8bDQRvE2Zigs/pWm7ioqYeangGqWoaqMEFUNeAKYLp8J+qWiUS",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chart_library_is_inside() {
        let echarts = asset("echarts.js").unwrap();
        assert!(echarts.bytes.len() > 500_000);
        assert!(String::from_utf8_lossy(&echarts.bytes[..2_000]).contains("Apache"));
    }

    #[test]
    fn the_digest_can_stand_in_an_address() {
        let digest = assets_digest();
        assert_eq!(digest.len(), 12);
        assert!(digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
