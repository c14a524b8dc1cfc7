//! What the comparison needs and does not have: Python packages in an environment of their own, and the ORM's program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;
use crate::contestant::{PACKAGES, PACKAGES_ALONE};

/// The folder that this program was built into.
pub(crate) fn target() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    // target/<profile>/examples/compare
    Ok(program.ancestors().nth(3).ok_or("this program is in no target folder")?.to_owned())
}

/// The Python to run contestants with.
pub(crate) fn python(target: &Path) -> Result<PathBuf> {
    let place = target.join("compare/python");
    let (python, installed) = (place.join("bin/python"), place.join("installed"));
    let wanted = [PACKAGES.as_slice(), &PACKAGES_ALONE].concat().join(" ");
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&place), "python3 makes no environment")?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let failed = "the Python packages can't be installed";
    run(Command::new(&python).args(pip).args(PACKAGES), failed)?;
    run(Command::new(&python).args(pip).arg("--no-deps").args(PACKAGES_ALONE), failed)?;
    fs::write(installed, wanted)?;
    Ok(python)
}

/// The program that uses SQLite through an ORM: a workspace of its own, built into the same folder.
pub(crate) fn orm(target: &Path) -> Result<PathBuf> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/benchmarks/orm/Cargo.toml");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build
        .args(["build", "--release", "--locked", "--quiet", "--manifest-path", manifest, "--target-dir"])
        .arg(target);
    run(&mut build, "benchmarks/orm can't be built")?;
    Ok(target.join("release/discobase-bench-orm"))
}

fn run(command: &mut Command, failed: &str) -> Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{failed} ({status})").into()),
        Err(error) => Err(format!("{failed}: {error}").into()),
    }
}
