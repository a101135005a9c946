//! Paths of the checkout and of the folders that `cargo xtask` writes into.
//! The modules that write into a folder decide its contents.

use std::env;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::statvfs;
use tempfile::TempDir;

use crate::hexadecimal::hexadecimal;

/// The root of the checkout.
pub fn root() -> PathBuf {
    // Cargo sets the variable for `cargo xtask`; the built-in value serves a directly started binary.
    let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&manifest).ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    root.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Tools installed for this checkout alone.
#[must_use]
pub fn tools() -> PathBuf {
    root().join(".tools")
}

/// The variable that names another folder for the stack, so that a proof does not touch a developer's data.
pub const STACK_VARIABLE: &str = "VITRINE_STACK_FOLDER";

/// Data, generated configuration and logs of background processes.
pub fn stack() -> PathBuf {
    env::var_os(STACK_VARIABLE).map_or_else(|| root().join(".stack"), PathBuf::from)
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Reports of the proofs.
#[must_use]
pub fn proofs() -> PathBuf {
    root().join("target/proofs")
}

/// A temporary folder, removed when the returned value is dropped. Other users may traverse it, since Postgres does not run as root; the
/// permissions of each file in it decide who may read the file.
pub fn temporary(purpose: &str) -> Result<TempDir> {
    temporary_in(&env::temp_dir(), purpose)
}

/// As [`temporary`], for the stores of tests: in memory, if there is room. Every test creates a database, which takes Postgres twice as long on
/// a disk.
pub fn temporary_in_memory(purpose: &str) -> Result<TempDir> {
    /// Postgres keeps up to 1 GiB of its log, besides the databases of the tests that are running.
    const ROOM: u64 = 2 << 30;
    let memory = Path::new("/dev/shm");
    let has_room = statvfs(memory).is_ok_and(|space| space.f_bavail * space.f_frsize >= ROOM);
    if has_room { temporary_in(memory, purpose) } else { temporary(purpose) }
}

fn temporary_in(folder: &Path, purpose: &str) -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix(&format!("vitrine-{purpose}-"))
        .permissions(Permissions::from_mode(0o711))
        .tempdir_in(folder)
        .context("failed to create a temporary folder")
}

/// Creates a folder with its parents.
pub fn ensure(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))
}

/// Writes a file that only its owner can read.
pub fn write_secret(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("failed to open {}", path.display()))?;
    // `mode` applies only to a new file.
    file.set_permissions(Permissions::from_mode(0o600)).with_context(|| format!("failed to protect {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("failed to write {}", path.display()))
}

/// A password of 128 random bits, in characters that need no escaping in a URL.
pub fn random_password() -> Result<String> {
    Ok(hexadecimal(&random::<16>()?))
}

/// A key of 256 random bits in Base64, the application's format for keys.
pub fn random_key() -> Result<String> {
    Ok(STANDARD.encode(random::<32>()?))
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)).context("failed to read /dev/urandom")?;
    Ok(bytes)
}
