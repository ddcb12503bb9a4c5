//! Brings the third-party scripts into the binary, from packages and never from this repository.
//!
//! - ECharts lies inside charming's own package; `ECHARTS_JS=path` takes another copy.
//! - daily-js lies where `make vendor` put it (npm); `DAILY_JS=path` takes another copy. Absent: the call page loads it from the CDN.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Where `make vendor` unpacks the npm package, from the top of the repository.
const DAILY_JS_VENDORED: &str = "target/vendor/daily-js.bundle.js";
const DAILY_JS_LICENSES: &str = "target/vendor/daily-js.LICENSES.txt";

fn main() {
    for name in ["ECHARTS_JS", "DAILY_JS"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rustc-check-cfg=cfg(daily_js_bundled)");

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let top =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));

    println!("cargo::rustc-env=SOURCES_DIGEST={}", build_id(&top));
    let mut assets = embed_assets(
        &top.join("site-templates/assets"),
        &out.join("site_assets.rs"),
    );

    let echarts =
        env::var_os("ECHARTS_JS").map_or_else(|| echarts_of_charming(&top), PathBuf::from);
    copy(&echarts, &out.join("echarts.js"));
    assets.extend([out.join("echarts.js"), top.join("NOTICE")]);
    println!("cargo::rerun-if-changed={}", top.join("NOTICE").display());

    let daily = env::var_os("DAILY_JS").map_or_else(|| top.join(DAILY_JS_VENDORED), PathBuf::from);
    // A path that does not exist yet is watched too, so that `make vendor` followed by a build picks it up.
    println!("cargo::rerun-if-changed={}", daily.display());
    if daily.exists() {
        copy(&daily, &out.join("daily.js"));
        let licenses = top.join(DAILY_JS_LICENSES);
        if licenses.exists() {
            copy(&licenses, &out.join("daily-js.LICENSES.txt"));
        } else {
            fs::write(
                out.join("daily-js.LICENSES.txt"),
                "daily-js: BSD-2-Clause, https://github.com/daily-co/daily-js\n",
            )
            .expect("OUT_DIR is writable");
        }
        println!("cargo::rustc-cfg=daily_js_bundled");
        assets.extend([out.join("daily.js"), out.join("daily-js.LICENSES.txt")]);
    }
    let digest = digest_of(&assets);
    println!("cargo::rustc-env=ASSETS_DIGEST={}", &digest[..12]);
}

/// Stands for everything that a report depends on besides its logs: what one program remembers means nothing to another.
fn build_id(top: &Path) -> String {
    let mut files = vec![top.join("Cargo.lock"), top.join("build.rs")];
    for folder in ["src", "site-templates"] {
        println!("cargo::rerun-if-changed={}", top.join(folder).display());
        list_files(&top.join(folder), &mut files);
    }
    files.sort();
    format!("{}-{}", env!("CARGO_PKG_VERSION"), digest_of(&files))
}

/// 16 hex digits that differ where any of `files` does.
fn digest_of(files: &[PathBuf]) -> String {
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read(file)
            .unwrap_or_else(|cause| panic!("cannot read `{}`: {cause}", file.display()))
            .hash(&mut hasher);
        file.file_name().hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn list_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|cause| panic!("cannot list `{}`: {cause}", folder.display()));
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            list_files(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Writes the list of hand-written assets, `(name, bytes)`, that `src/site/assets.rs` includes: a new file is served by being there.
/// Gives where they are.
fn embed_assets(folder: &Path, list: &Path) -> Vec<PathBuf> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap_or_else(|cause| panic!("cannot read `{}`: {cause}", folder.display()))
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".js") || name.ends_with(".css") || name.ends_with(".svg"))
        .collect();
    names.sort();
    let rows: String = names
        .iter()
        .map(|name| format!("    ({name:?}, include_bytes!({:?})),\n", folder.join(name)))
        .collect();
    fs::write(list, format!("&[\n{rows}]\n")).expect("OUT_DIR is writable");
    names.iter().map(|name| folder.join(name)).collect()
}

/// The newest `echarts-*.min.js` inside the package of charming that this build resolves.
fn echarts_of_charming(top: &Path) -> PathBuf {
    let cargo = env::var_os("CARGO").expect("cargo sets CARGO");
    let metadata = |more: &[&str]| {
        let mut command = Command::new(&cargo);
        command
            .args(["metadata", "--format-version=1", "--locked"])
            .args(more)
            .current_dir(top);
        command.output().expect("cargo metadata starts")
    };
    // Without the network where that works, as in a vendored build. On a fresh machine it does not: `cargo build` has fetched
    // the packages of this platform alone, `cargo metadata` wants those of all.
    let offline = metadata(&["--offline"]);
    let answer = if offline.status.success() {
        offline
    } else {
        metadata(&[])
    };
    assert!(
        answer.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&answer.stderr)
    );
    let answer: serde_json::Value =
        serde_json::from_slice(&answer.stdout).expect("cargo metadata prints JSON");
    let manifest = answer["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "charming")
        .and_then(|package| package["manifest_path"].as_str())
        .expect("charming is a dependency");
    let assets = Path::new(manifest).with_file_name("src").join("asset");
    let mut found: Vec<PathBuf> = fs::read_dir(&assets)
        .unwrap_or_else(|cause| panic!("cannot read `{}`: {cause}", assets.display()))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("echarts-") && name.ends_with(".min.js")
        })
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| {
        panic!(
            "no echarts-*.min.js in `{}`: set ECHARTS_JS to the path of a copy of ECharts",
            assets.display()
        )
    })
}

fn copy(from: &Path, to: &Path) {
    println!("cargo::rerun-if-changed={}", from.display());
    fs::copy(from, to).unwrap_or_else(|cause| panic!("cannot copy `{}`: {cause}", from.display()));
}
