//! Checked settings of who may send beacons and who may see what was collected.

use super::secret::{self, Secret};
use super::values::origins;
use super::{Environment, Error, error};
use crate::cli::{LookArgs, PageTokenArg, SendArgs};

/// A secret shorter than this could be found by trying.
const SECRET_BYTES_MIN: usize = 16;

/// Who may send beacons.
#[derive(Debug)]
pub struct Send {
    /// Origins (`scheme://host[:port]`, lower case) besides our own whose pages may.
    pub allow_origins: Vec<String>,
    /// Beacons a second from one address; 0: no limit.
    pub rate_per_address: u32,
    /// Beacons a second with one page token; 0: no limit.
    pub rate_per_token: u32,
    /// Whether beacons need a page token.
    pub page_tokens: PageTokens,
}

/// Page tokens, and what they are signed with.
#[derive(Clone, Debug)]
pub enum PageTokens {
    /// No beacon needs one.
    Off,
    /// Required; signed with a secret that ends with the process.
    OfThisProcess,
    /// Required; signed with a secret that was given.
    Of(Secret),
}

/// Who may see what was collected.
#[derive(Debug)]
pub struct Look {
    /// Password of the report and the counters. `None`: they are served on loopback alone.
    pub report_password: Option<Secret>,
}

pub(super) fn send(
    args: &SendArgs,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<Send, Error> {
    Ok(Send {
        allow_origins: origins("--allow-origin", &args.allow_origin)?,
        rate_per_address: args.rate_per_address,
        rate_per_token: args.rate_per_token,
        page_tokens: page_tokens(args, environment, warnings)?,
    })
}

fn page_tokens(
    args: &SendArgs,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<PageTokens, Error> {
    const FILE: &str = "--page-token-secret-file";
    const VARIABLE: &str = "CALL_METRICS_PAGE_TOKEN_SECRET";
    if args.page_token == PageTokenArg::Off {
        return Ok(PageTokens::Off);
    }
    let file = args.page_token_secret_file.as_deref();
    let file = file.filter(|path| !path.as_os_str().is_empty());
    let (setting, secret) = match (file, &environment.page_token_secret) {
        (None, None) => return Ok(PageTokens::OfThisProcess),
        (Some(path), Some(_)) => {
            let cause = format!("{VARIABLE} is set too");
            let hint = "keep one of the two";
            return Err(error(FILE, &path.display().to_string(), cause, hint));
        }
        (Some(path), None) => {
            let (secret, warning) = secret::read(FILE, path)?;
            warnings.extend(warning);
            (FILE, secret)
        }
        (None, Some(text)) => (VARIABLE, Secret::new(text.trim())),
    };
    if secret.as_bytes().len() < SECRET_BYTES_MIN {
        let cause = format!("shorter than {SECRET_BYTES_MIN} bytes");
        let hint = "make one with `head -c 32 /dev/urandom | base64`";
        return Err(error(setting, "***", cause, hint));
    }
    Ok(PageTokens::Of(secret))
}

pub(super) fn look(args: LookArgs, warnings: &mut Vec<String>) -> Result<Look, Error> {
    const FILE: &str = "--report-password-file";
    let text = args.report_password.filter(|text| !text.is_empty());
    let file = args.report_password_file;
    let report_password = match (text, file.filter(|path| !path.as_os_str().is_empty())) {
        (Some(_), Some(path)) => {
            let cause = "`--report-password` is given too";
            let hint = "keep one of the two; CALL_METRICS_REPORT_PASSWORD counts as the flag";
            return Err(error(FILE, &path.display().to_string(), cause, hint));
        }
        (Some(text), None) => Some(Secret::new(text)),
        (None, Some(path)) => {
            let (secret, warning) = secret::read(FILE, &path)?;
            warnings.extend(warning);
            Some(secret)
        }
        (None, None) => None,
    };
    Ok(Look { report_password })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::serve::tests::serve;
    use std::fs;

    #[test]
    fn a_password_comes_from_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        fs::write(&file, "pass\n").unwrap();
        let file = format!("--report-password-file {}", file.display());
        let password = |args: &str| {
            serve(args, &[]).map(|settings| {
                let password = settings.look.report_password;
                password.map(|secret| secret.as_bytes().to_vec())
            })
        };
        assert_eq!(password("").unwrap(), None);
        assert_eq!(password("--report-password=").unwrap(), None);
        assert_eq!(password("--report-password a").unwrap(), Some(b"a".into()));
        assert_eq!(password(&file).unwrap(), Some(b"pass".into()));
        let empty = format!("{file} --report-password=");
        assert_eq!(password(&empty).unwrap(), Some(b"pass".into()));
        assert!(password(&format!("{file} --report-password a")).is_err());
        assert!(password("--report-password-file /nowhere").is_err());
    }

    #[test]
    fn the_secret_of_page_tokens_is_long_and_comes_from_one_place() {
        const GOOD: &str = "0123456789abcdef";
        let tokens = |args: &str, text: &str| {
            serve(args, &[("CALL_METRICS_PAGE_TOKEN_SECRET", text)])
                .map(|settings| settings.send.page_tokens)
        };
        assert!(matches!(tokens("", GOOD), Ok(PageTokens::Off)));
        let required = "--page-token required";
        assert!(matches!(
            tokens(required, ""),
            Ok(PageTokens::OfThisProcess)
        ));
        assert!(matches!(tokens(required, GOOD), Ok(PageTokens::Of(_))));
        let short = tokens(required, &GOOD[1..]).unwrap_err();
        assert!(!short.to_string().contains("123"), "{short}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, GOOD).unwrap();
        let file = format!("{required} --page-token-secret-file {}", file.display());
        assert!(matches!(tokens(&file, ""), Ok(PageTokens::Of(_))));
        assert!(tokens(&file, GOOD).is_err());
    }
}
