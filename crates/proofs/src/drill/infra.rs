//! Replicas that are down or not ready, and a disk that fills up.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use devstack::paths;
use devstack::ports::MAX_REPLICAS;
use devstack::process::{capture_ok, task};
use rustix::process::Signal;

use super::Drill;
use super::test_stack::TestStack;
use super::traffic::Traffic;

/// One replica is down.
pub const REPLICA: Drill = Drill {
    alerts: &["ServiceDown"],
    cause: "backend-2 is killed",
    mitigation: "it is started again",
    inject: |test| {
        test.stack.end_replica(2, Signal::KILL)?;
        Ok(Box::new(|test| test.stack.start_successor(2)))
    },
};

/// All replicas are down.
pub const SERVICE: Drill = Drill {
    alerts: &["AllReplicasDown"],
    cause: "all three replicas are killed",
    mitigation: "they are started again",
    inject: |test| {
        for number in 1..=MAX_REPLICAS {
            test.stack.end_replica(number, Signal::KILL)?;
        }
        Ok(Box::new(|test| (1..=MAX_REPLICAS).try_for_each(|number| test.stack.start_successor(number))))
    },
};

/// A replica runs but is not ready.
pub const NOT_READY: Drill = Drill {
    alerts: &["ReplicaNotReady", "EdgeUpstreamUnhealthy"],
    cause: "backend-3 is started with the address of a Postgres that does not exist",
    mitigation: "it is started with the right address",
    inject: |test| {
        test.stack.end_replica(3, Signal::KILL)?;
        let nowhere = test.folder().join("nowhere");
        fs::write(&nowhere, "postgres://vitrine:a-password-of-nobody@127.0.0.1:1/vitrine")?;
        test.stack.launch_successor(3, &[("DATABASE_URL_FILE", &nowhere.to_string_lossy())])?;
        Ok(Box::new(|test| {
            test.stack.end_replica(3, Signal::KILL)?;
            test.stack.start_successor(3)
        }))
    },
};

/// A disk fills up.
pub const DISK: Drill = Drill {
    alerts: &["DiskWillFill"],
    cause: "a disk of 64 MiB fills by 1 MiB per second",
    mitigation: "the program that fills the disk is stopped, and its file is deleted",
    inject: |test| {
        let disk = Disk::mount(test)?;
        let file = disk.mount_point.join("growing");
        let writer = Traffic::start(1, 1, move |_, number| {
            // The file takes about half of the disk at first. Once the disk is full, writes fail; the drill ignores these errors.
            let written = (34 + u64::from(number)).min(60);
            let _full = fs::write(&file, vec![7; usize::try_from(written).unwrap_or_default() << 20]);
        });
        Ok(Box::new(move |test| {
            drop(writer);
            fs::remove_file(disk.mount_point.join("growing"))?;
            test.keep(disk);
            Ok(())
        }))
    },
};

/// A loop-mounted disk image.
struct Disk {
    mount_point: PathBuf,
}

impl Disk {
    fn mount(test: &TestStack) -> Result<Self> {
        let (file, mount_point) = (test.folder().join("disk.img"), test.folder().join("disk"));
        paths::ensure(&mount_point)?;
        fs::File::create(&file)?.set_len(64 << 20)?;
        capture_ok(task("mkfs.ext4").arg("-q").arg(&file))?;
        capture_ok(task("mount").args(["-o", "loop"]).arg(&file).arg(&mount_point))?;
        Ok(Self { mount_point })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = capture_ok(task("umount").arg("--lazy").arg(&self.mount_point)) {
            eprintln!("{error:#}");
        }
    }
}
