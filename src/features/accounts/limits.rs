//! Rate limits on requests that need no account: password attempts, registrations, requests for mails, links in mails, visits to platforms
//! (docs/adr/0017-limits-without-an-account.md).
//!
//! Failed logins are counted in three ways: per account and client; per account, over all strangers; and per network, over all accounts.
//! A stranger is a client whose device and network the account does not know. A client is identified by its device cookie or, without a
//! valid one, by its network. A known device is limited only by its own failures. A known network is also limited by its failures with
//! other accounts. Failures of strangers in other networks therefore never lock out a known device or network. In addition, concurrent
//! logins are limited per network, also for known devices. Requests for mails are counted in the same three ways, whatever their outcome.

use std::time::Duration;

use ipnet::IpNet;
use time::OffsetDateTime;
use uuid::Uuid;

use super::device::{self, KNOWN_FOR};
use crate::cache::RedisClient;
use crate::cache::marks::Marks;
use crate::cache::throttle::{Attempt, Bucket, Rate, Throttle, Throttled, digest};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::metrics::labels::Limiter;
use crate::sealing::{InvalidKeys, Keyring};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The sender of a request, as the request identifies it. Must not be logged: the cookie is a secret.
#[derive(Clone)]
pub struct Caller {
    /// The network that the request came from.
    pub network: IpNet,
    /// The device cookie, if there is one.
    pub device: Option<String>,
}

/// The rate limits on sign-in, registration and visits to platforms.
pub struct AccountLimits {
    throttle: Throttle,
    known_networks: Marks,
    keys: Keyring,
    client: Rate,
    strangers: Rate,
    address: Rate,
    concurrent_logins: u32,
    registrations: Rate,
    mails: Rate,
    platform_visits: Rate,
}

/// A limit per account and network: its labels, and its rates for one client and for all strangers.
struct PerAccount {
    account: Limiter,
    network: Limiter,
    client: Rate,
    strangers: Rate,
}

/// How an account knows a client: by its device, by its network, or not at all.
enum Recognition {
    Device(Uuid),
    Network,
    Stranger,
}

impl AccountLimits {
    /// Reads the limits from the configuration.
    ///
    /// # Errors
    /// When `TOKEN_KEYS` is set but invalid.
    pub fn new(redis: &RedisClient, config: &Config, metrics: &Metrics) -> Result<Self, InvalidKeys> {
        let prefix = &config.redis_key_prefix;
        let client = Rate::over(config.login_attempts_per_account, config.login_window);
        Ok(Self {
            throttle: Throttle::new(redis.clone(), prefix, config.request_timeout, metrics.clone()),
            known_networks: Marks::new(redis.clone(), prefix, KNOWN_FOR.unsigned_abs()),
            keys: Keyring::configured(config.token_keys.as_ref())?,
            client,
            // All strangers to an account share a bucket. Its burst is larger by default, so that one stranger alone cannot exhaust it. It
            // leaks as fast as the bucket of one client.
            strangers: Rate { burst: config.login_attempts_by_strangers, ..client },
            address: Rate::over(config.login_attempts_per_address, config.login_window),
            concurrent_logins: config.logins_at_once_per_address,
            registrations: Rate::over(config.registrations_per_minute, MINUTE),
            mails: Rate::over(config.mails_per_hour, HOUR),
            platform_visits: Rate::over(config.oauth_per_minute, MINUTE),
        })
    }

    /// Admits one attempt to sign in to the account with this e-mail address. The account need not exist.
    pub(super) async fn begin_login(&self, email: &str, caller: &Caller) -> Result<Attempt, Throttled> {
        let limit =
            PerAccount { account: Limiter::LoginAccount, network: Limiter::LoginNetwork, client: self.client, strangers: self.strangers };
        self.throttle.begin(self.buckets(&limit, email, caller, self.address).await).await
    }

    /// Admits one request for a mail to this address. An account with the address need not exist. Every request counts.
    pub(super) async fn take_mail(&self, email: &str, caller: &Caller) -> Result<(), Throttled> {
        let limit = PerAccount { account: Limiter::MailAccount, network: Limiter::MailNetwork, client: self.mails, strangers: self.mails };
        self.throttle.begin(self.buckets(&limit, email, caller, self.registrations).await).await?.fail().await;
        Ok(())
    }

    /// Admits one attempt to use the link of a mail. Failures, and attempts at the same time, count like logins from this network.
    pub(super) async fn begin_redemption(&self, network: IpNet) -> Result<Attempt, Throttled> {
        let bucket = Bucket::new(Limiter::LoginNetwork, &[&network.to_string()], self.address).at_once(self.concurrent_logins);
        self.throttle.begin(vec![bucket]).await
    }

    async fn buckets(&self, limit: &PerAccount, email: &str, caller: &Caller, per_network: Rate) -> Vec<Bucket> {
        let (account, network) = (account_key(email), caller.network.to_string());
        let address = Bucket::new(limit.network, &[&network], per_network).at_once(self.concurrent_logins);
        let client = |client: &str| Bucket::new(limit.account, &["client", &account, client], limit.client);
        match self.recognize(&account, caller).await {
            Recognition::Device(id) => vec![address.uncounted(), client(&id.to_string())],
            Recognition::Network => vec![address, client(&network)],
            Recognition::Stranger => {
                vec![address, client(&network), Bucket::new(limit.account, &["strangers", &account], limit.strangers)]
            }
        }
    }

    /// Admits one registration.
    pub(super) async fn take_registration(&self, network: IpNet) -> Result<(), Throttled> {
        self.throttle.take(Bucket::new(Limiter::Registrations, &[&network.to_string()], self.registrations)).await
    }

    /// Admits one redirect to a platform, or one return from it.
    pub(super) async fn take_platform_visit(&self, network: IpNet) -> Result<(), Throttled> {
        self.throttle.take(Bucket::new(Limiter::OauthRequests, &[&network.to_string()], self.platform_visits)).await
    }

    /// Remembers a client that has registered or signed in. Returns its device cookie.
    pub(super) async fn remember(&self, email: &str, caller: &Caller) -> String {
        let (account, now) = (account_key(email), OffsetDateTime::now_utc());
        self.known_networks.make(&network_mark(&account, caller.network)).await;
        let device = caller.device.as_deref().and_then(|cookie| device::open(&self.keys, &account, cookie, now));
        device::seal(&self.keys, &account, device.unwrap_or_else(Uuid::new_v4), now)
    }

    async fn recognize(&self, account: &str, caller: &Caller) -> Recognition {
        let device = caller.device.as_deref();
        if let Some(id) = device.and_then(|cookie| device::open(&self.keys, account, cookie, OffsetDateTime::now_utc())) {
            return Recognition::Device(id);
        }
        if self.known_networks.has(&network_mark(account, caller.network)).await { Recognition::Network } else { Recognition::Stranger }
    }
}

/// The key of an account in the limits. It depends only on the e-mail address, so addresses without an account are limited in the same way.
fn account_key(email: &str) -> String {
    digest(&[&email.to_lowercase()])
}

fn network_mark(account: &str, network: IpNet) -> String {
    format!("network:{}", digest(&[account, &network.to_string()]))
}
