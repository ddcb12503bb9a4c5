//! Secrets: from the environment or a file, never in a message. Must not keep a file open, nor change it.

use super::{Error, error};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// More than this is some other file.
const FILE_BYTES_MAX: u64 = 4096;
/// Permissions of all who are neither the owner nor of his group.
const OTHERS: u32 = 0o007;

/// A secret, kept out of every message.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    pub(super) fn new(bytes: impl Into<Vec<u8>>) -> Secret {
        Secret(bytes.into())
    }

    /// The secret itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The content of a file without the line end at its end, and a warning where others may read it.
pub(super) fn read(setting: &'static str, path: &Path) -> Result<(Secret, Option<String>), Error> {
    let shown = path.display().to_string();
    let refused = |cause: String, hint: &str| Err(error(setting, &shown, cause, hint));
    let mut bytes = Vec::new();
    let opened = File::open(path).and_then(|file| {
        let mode = file.metadata()?.permissions().mode();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        Ok(mode)
    });
    let mode = match opened {
        Ok(mode) => mode,
        Err(cause) => {
            return refused(
                cause.to_string(),
                "name a text file that this user may read",
            );
        }
    };
    if FILE_BYTES_MAX < bytes.len() as u64 {
        return refused(
            format!("longer than {FILE_BYTES_MAX} bytes"),
            "name a file that holds the secret and nothing else",
        );
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    if bytes.is_empty() {
        return refused("nothing in it".to_owned(), "write the secret into it");
    }
    let warning = (mode & OTHERS != 0).then(|| {
        format!("every user of this machine can get at `{shown}`; run `chmod o= {shown}`")
    });
    Ok((Secret(bytes), warning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};

    #[test]
    fn a_file_gives_its_content_without_the_last_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let check = |content: &str, mode: u32, expect: Option<&str>, warns: bool| {
            write(&path, content).unwrap();
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let got = read("--x", &path).ok();
            let text = got.as_ref().map(|(secret, _)| secret.as_bytes());
            assert_eq!(text, expect.map(str::as_bytes), "{content:?}");
            assert_eq!(got.is_some_and(|(_, warning)| warning.is_some()), warns);
        };
        check("pass\n", 0o600, Some("pass"), false);
        check("pass\r\n", 0o640, Some("pass"), false);
        check(" pass \n\n", 0o644, Some(" pass \n"), true);
        check("pass", 0o606, Some("pass"), true);
        check("", 0o600, None, false);
        check("\n", 0o600, None, false);
        check(&"x".repeat(5_000), 0o600, None, false);
        assert!(read("--x", &folder.path().join("missing")).is_err());
        assert!(read("--x", folder.path()).is_err());
        let (secret, _) = (Secret::new("s3cret"), 0);
        assert_eq!(format!("{secret:?}"), "***");
    }
}
