//! The public interface, pinned: whoever changes it sees what others will have to change. After a
//! change that is meant: `INSTA_UPDATE=always cargo test -p loadgen-core --test public_api`, and an
//! entry in the CHANGELOG.

use std::collections::HashSet;
use std::error::Error;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use public_api::{Builder, PublicApi};

/// What rustdoc says of the crate. It writes JSON only to those who allow it what is not stable:
/// it alone is allowed that, and cargo uses what it has built before.
fn documented() -> Result<PathBuf, Box<dyn Error>> {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let rustdoc = own.join("rustdoc-with-json");
    fs::write(&rustdoc, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n")?;
    fs::set_permissions(&rustdoc, fs::Permissions::from_mode(0o755))?;
    // Tests have their temporary files in the folder of all that is built.
    let json = own.with_file_name("doc/loadgen_core.json");
    match fs::remove_file(&json) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let output = Command::new(env!("CARGO"))
        .args(["rustdoc", "-p", "loadgen-core", "--lib", "--locked", "--features", "tokio"])
        .args(["--", "-Z", "unstable-options", "--output-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RUSTDOC", &rustdoc)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(json)
}

/// Whether it is the one whose JSON `public-api` reads.
fn is_known_rustdoc() -> Result<bool, Box<dyn Error>> {
    let version = Command::new("rustdoc").arg("--version").output()?.stdout;
    Ok(version.starts_with(b"rustdoc 1.95."))
}

/// Each item in a line, and the names alone of the traits that are derived.
fn told(json: &Path) -> Result<String, public_api::Error> {
    let of = |derived: bool| -> Result<PublicApi, public_api::Error> {
        Builder::from_rustdoc_json(json)
            .omit_blanket_impls(true)
            .omit_auto_trait_impls(true)
            .omit_auto_derived_impls(!derived)
            .build()
    };
    let written: HashSet<String> = of(false)?.items().map(ToString::to_string).collect();
    let all = of(true)?;
    let lines = all.items().map(ToString::to_string);
    let is_kept = |line: &String| {
        let of_a_derive = line.starts_with("impl") && !line.contains("::StructuralPartialEq ");
        of_a_derive || written.contains(line)
    };
    let kept: Vec<_> = lines.filter(is_kept).collect();
    Ok(kept.join("\n"))
}

#[test]
fn the_interface_is_as_it_was() -> Result<(), Box<dyn Error>> {
    match told(&documented()?) {
        Ok(interface) => insta::assert_snapshot!(interface),
        Err(error) if is_known_rustdoc()? => return Err(error.into()),
        // Each rustdoc has a JSON of its own, and one that is not known here says nothing of ours.
        // It is said past the harness, which keeps what tests print.
        Err(error) => writeln!(
            std::io::stderr(),
            "NOT TESTED: the public interface, since the JSON of this rustdoc cannot be read: {error}"
        )?,
    }
    Ok(())
}
