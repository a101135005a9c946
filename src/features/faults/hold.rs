//! Faults with a lasting effect on a replica: allocated memory, and busy workers of the runtime.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::domain::FaultKind;
use crate::fault_injection::{Effect, Fault, FaultInjector};

const MEBIBYTE: usize = 1 << 20;

/// Identifies one creation of a fault. Replacing a fault under the same identifier yields a different key.
pub type FaultKey = (Uuid, OffsetDateTime);

/// The key of a fault's creation.
pub fn key_of(fault: &Fault) -> FaultKey {
    (fault.id, fault.begun_at)
}

/// The lasting effects in progress. They end when this value is dropped.
#[derive(Default)]
pub struct LastingEffects(HashMap<FaultKey, AbortOnDropHandle<()>>);

impl LastingEffects {
    /// Ends the effects of faults that are no longer active, and starts the effects of new faults.
    pub fn follow(&mut self, faults: &[Fault], injector: &FaultInjector) {
        self.0.retain(|key, _| faults.iter().any(|fault| key_of(fault) == *key));
        for fault in faults {
            let Some(effect) = Lasting::of(fault) else { continue };
            self.0.entry(key_of(fault)).or_insert_with(|| {
                let (left, injector) = (fault.expires_at - OffsetDateTime::now_utc(), injector.clone());
                AbortOnDropHandle::new(tokio::spawn(async move {
                    // This timeout ends the effect when the fault expires, even if the replica polls the faults late.
                    let _ended = tokio::time::timeout(left.try_into().unwrap_or_default(), effect.run(injector)).await;
                }))
            });
        }
    }
}

enum Lasting {
    Memory { mebibytes: u32 },
    Block { busy: Duration, idle: Duration },
}

impl Lasting {
    fn of(fault: &Fault) -> Option<Self> {
        match fault.effect {
            Effect::Memory { mebibytes } => Some(Self::Memory { mebibytes }),
            Effect::Block { delay_ms } => {
                let (busy, percent) = (Duration::from_millis(delay_ms.into()), u32::from(fault.percent));
                Some(Self::Block { busy, idle: busy * (100 - percent) / percent })
            }
            _ => None,
        }
    }

    /// Produces the effect until the future is dropped.
    async fn run(self, injector: FaultInjector) {
        match self {
            Self::Memory { mebibytes } => {
                injector.count(FaultKind::Memory);
                let _held = tokio::task::spawn_blocking(move || touched(mebibytes)).await;
                std::future::pending::<()>().await;
            }
            Self::Block { busy, idle } => {
                let workers = Handle::current().metrics().num_workers();
                let spinning: JoinSet<()> = (0..workers).map(|_| spin(busy, idle, injector.clone())).collect();
                spinning.join_all().await;
            }
        }
    }
}

/// Allocates memory and writes to it, because unwritten memory occupies no physical memory. The result is empty if the allocation fails.
fn touched(mebibytes: u32) -> Vec<u8> {
    let mut memory = Vec::new();
    let mebibyte = vec![1; MEBIBYTE];
    match memory.try_reserve_exact(mebibytes as usize * MEBIBYTE) {
        Ok(()) => (0..mebibytes).for_each(|_| memory.extend_from_slice(&mebibyte)),
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "failed to allocate the fault's memory"),
    }
    memory
}

/// Occupies a worker for `busy`, then yields to other tasks for `idle`, and repeats this.
async fn spin(busy: Duration, idle: Duration, injector: FaultInjector) {
    loop {
        injector.count(FaultKind::Block);
        let end = Instant::now() + busy;
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        if idle.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(idle).await;
        }
    }
}
