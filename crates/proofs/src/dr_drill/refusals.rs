//! Bad input. Each is refused with a sentence, leaves every backup and every database as it was, and is no backup that looks whole.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use devstack::backup::{Backups, Kind};
use devstack::process::{Captured, capture, capture_ok, task};
use devstack::report::{Outcome, Report};
use devstack::stack::Stack;

/// The environment of the checks.
struct Refusals<'a> {
    stack: &'a Stack,
    backups: &'a Backups,
    logical: &'a Path,
    base: &'a Path,
}

/// Adds a step for each bad input.
pub fn prove(report: &mut Report, stack: &Stack, backups: &Backups, logical: &Path, base: &Path) -> Result<()> {
    let all = Refusals { stack, backups, logical, base };
    report.step("refused: a truncated dump", || all.damaged(truncate, "is damaged"))?;
    report.step("refused: an edited dump", || all.damaged(edit_dump, "is damaged"))?;
    report.step("refused: a truncated dump with new sums", || {
        all.damaged(|copy| truncate(copy).and_then(|()| sum(copy)), "pg_restore did not finish")
    })?;
    report.step("refused: a manifest with other rows, and new sums", || {
        all.damaged(|copy| edit_manifest(copy, "\"hash\": \"", "\"hash\": \"1"), "restored rows differ from the manifest")
    })?;
    report.step("refused: no sums", || all.damaged(|copy| Ok(fs::remove_file(copy.join("SHA256SUMS"))?), "has no SHA256SUMS"))?;
    report.step("refused: a schema of a newer version", || {
        all.damaged(|copy| edit_manifest(copy, "\"schema\": 2", "\"schema\": 9"), "restore it with a newer version")
    })?;
    report.step("refused: a database that is larger than the disk", || {
        all.damaged(|copy| edit_manifest(copy, "\"size_bytes\": ", "\"size_bytes\": 99999999"), "too little space")
    })?;
    report.step("refused: a damaged base backup", || all.damaged_base())?;
    report.step("refused: a data folder that is not empty", || all.full_data_folder())?;
    report.step("refused: a missing secret", || all.missing_secret())?;
    report.step("refused: a folder that is not writable", || all.read_only_folder())?;
    report.step("refused: a limit on the size of files", || all.limited_files())?;
    report.step("refused: a full disk", || all.full_disk())
}

fn truncate(copy: &Path) -> Result<()> {
    let file = OpenOptions::new().write(true).open(copy.join("database.dump"))?;
    let length = file.metadata()?.len();
    Ok(file.set_len(length * 2 / 3)?)
}

fn edit_dump(copy: &Path) -> Result<()> {
    let path = copy.join("database.dump");
    let mut bytes = fs::read(&path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Ok(fs::write(&path, bytes)?)
}

/// Replaces the first occurrence of a text in the manifest, and computes new sums, as somebody who edits a backup by hand would.
fn edit_manifest(copy: &Path, from: &str, to: &str) -> Result<()> {
    let path = copy.join("manifest.json");
    let text = fs::read_to_string(&path)?;
    ensure!(text.contains(from), "the manifest has no {from}");
    fs::write(&path, text.replacen(from, to, 1))?;
    sum(copy)
}

fn sum(copy: &Path) -> Result<()> {
    capture_ok(task("sh").args(["-c", "sha256sum manifest.json database.dump >SHA256SUMS"]).current_dir(copy)).map(drop)
}

impl Refusals<'_> {
    /// What must not change: the databases and the finished backups.
    fn state(&self) -> Result<(String, BTreeSet<PathBuf>)> {
        let databases = self.stack.sql("SELECT datname, datallowconn FROM pg_database ORDER BY 1")?;
        let mut backups = BTreeSet::new();
        for kind in [Kind::Logical, Kind::Base] {
            for entry in fs::read_dir(self.backups.folder.join(kind.name()))? {
                backups.insert(entry?.path());
            }
        }
        Ok((databases, backups))
    }

    /// Calls a script that must fail with this sentence and change nothing.
    fn refused(&self, command: &mut Command, sentence: &str) -> Result<Outcome> {
        let before = self.state()?;
        let Captured { success, text } = capture(command)?;
        ensure!(!success, "not refused: {text}");
        let said = text.lines().find(|line| line.starts_with("error: ") && line.contains(sentence));
        let said = said.with_context(|| format!("no sentence with `{sentence}`: {text}"))?;
        ensure!(before == self.state()?, "the backups or the databases changed");
        Ok(Outcome::passed().with_note(said.trim_start_matches("error: ").chars().take(110).collect::<String>()))
    }

    /// A copy of a backup, beside the folders of finished ones. The copy has the same owner.
    fn copy(&self, backup: &Path) -> Result<PathBuf> {
        let copy = self.backups.folder.join("copy");
        if copy.exists() {
            fs::remove_dir_all(&copy)?;
        }
        capture_ok(task("cp").args(["--archive", "--no-target-directory"]).arg(backup).arg(&copy))?;
        Ok(copy)
    }

    fn damaged(&self, damage: impl Fn(&Path) -> Result<()>, sentence: &str) -> Result<Outcome> {
        let copy = self.copy(self.logical)?;
        damage(&copy)?;
        self.refused(self.backups.script("restore.sh").arg(&copy).arg("--replace"), sentence)
    }

    fn damaged_base(&self) -> Result<Outcome> {
        let copy = self.copy(self.base)?;
        let file = copy.join("data/PG_VERSION");
        fs::write(&file, "14\n")?;
        let target = self.backups.folder.join("never");
        let outcome = self.refused(self.backups.script("restore-base.sh").arg(&copy).arg(&target), "is damaged")?;
        ensure!(!target.exists(), "a part of the damaged backup was restored");
        Ok(outcome)
    }

    fn full_data_folder(&self) -> Result<Outcome> {
        self.refused(self.backups.script("restore-base.sh").arg(self.base).arg(self.stack.postgres_data()?), "is not empty")
    }

    fn missing_secret(&self) -> Result<Outcome> {
        let nowhere = self.backups.folder.join("no-such-secret");
        self.refused(self.backups.script("backup.sh").arg("logical").env("PGPASSWORD_FILE", nowhere), "is missing or cannot be read")
    }

    /// Root may write everywhere, but the scripts do not run as root.
    fn read_only_folder(&self) -> Result<Outcome> {
        let folder = &self.backups.folder;
        fs::set_permissions(folder, Permissions::from_mode(0o500))?;
        let outcome = self.refused(self.backups.script("backup.sh").arg("logical"), "is not writable");
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        outcome
    }

    /// The limit kills the program that writes the dump in the middle of its work.
    fn limited_files(&self) -> Result<Outcome> {
        let mut command = self.backups.script_after("ulimit -f 8", "backup.sh");
        self.refused(command.arg("logical"), "there is no new backup")
    }

    /// A disk of 32 KiB, which only root can mount.
    fn full_disk(&self) -> Result<Outcome> {
        let folder = self.backups.folder.join("small");
        fs::create_dir_all(&folder)?;
        let mounted = capture(task("mount").args(["-t", "tmpfs", "-o", "size=32k,mode=0777", "vitrine-small"]).arg(&folder))?;
        if !mounted.success {
            return Ok(Outcome::skipped("SKIPPED: only root can mount a small disk"));
        }
        let outcome = self.refused(self.backups.script("backup.sh").arg("logical").env("BACKUP_FOLDER", &folder), "there is no new backup");
        let left = fs::read_dir(folder.join("logical")).map(Iterator::count);
        capture_ok(task("umount").arg("--lazy").arg(&folder))?;
        let outcome = outcome?;
        ensure!(left? == 0, "the full disk has a part of a backup");
        Ok(outcome)
    }
}
