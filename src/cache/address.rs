//! How a connection to Redis is opened: the address, TLS, the current password, and the check that the server is the primary.

use std::path::PathBuf;

use redis::aio::MultiplexedConnection;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, TlsCertificates, Value};
use secrecy::ExposeSecret;

use super::unavailable::RedisUnavailable;
use crate::config::{Config, PasswordFile, authorities};
use crate::diagnosis::Cause;

/// The address of Redis, and the files that are read again for each connection.
pub(super) struct Address {
    info: ConnectionInfo,
    authorities: Option<PathBuf>,
    password: Option<PasswordFile>,
}

impl Address {
    pub(super) fn of(config: &Config) -> redis::RedisResult<Self> {
        let info = config.redis_url.expose_secret().into_connection_info()?;
        // RESP3, so that one connection can receive both messages and the answers to pings.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = info.set_redis_settings(settings);
        Ok(Self { info, authorities: config.redis_ca_file.clone(), password: config.redis_password() })
    }

    /// A client for one connection.
    pub(super) fn client(&self) -> Result<Client, RedisUnavailable> {
        let mut info = self.info.clone();
        if let Some(file) = &self.password {
            let password = file.read().map_err(|_| RedisUnavailable::Refused(Cause::PasswordFile))?;
            let settings = info.redis_settings().clone().set_password(password.expose_secret());
            info = info.set_redis_settings(settings);
        }
        let Some(path) = &self.authorities else { return Ok(Client::open(info)?) };
        let root_cert = Some(authorities(path).map_err(|_| RedisUnavailable::Refused(Cause::AuthorityFile))?);
        Ok(Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })?)
    }

    /// Why Redis refuses connections, if the error tells and an operator must mend it. `was_connected` says whether an earlier attempt
    /// succeeded.
    pub(super) fn cause(&self, error: &RedisUnavailable, was_connected: bool) -> Option<Cause> {
        let uses_tls = matches!(self.info.addr(), ConnectionAddr::TcpTls { .. });
        // Redis without TLS waits for the rest of the handshake, which to it is the beginning of a long command.
        let no_handshake = (uses_tls && !was_connected).then_some(Cause::NoTls);
        match error {
            RedisUnavailable::Refused(cause) => Some(*cause),
            RedisUnavailable::Timeout => no_handshake,
            RedisUnavailable::Failed(error) if error.is_timeout() => no_handshake,
            RedisUnavailable::Failed(error) => match error.code() {
                Some("WRONGPASS" | "NOAUTH" | "NOPERM") => Some(Cause::Password),
                Some("READONLY" | "MASTERDOWN") => Some(Cause::ReadOnly),
                // A port for TLS resets connections of clients without TLS. An outage looks the same, so the sentence says `if`.
                _ if !uses_tls && !was_connected && error.is_connection_dropped() && !error.is_connection_refusal() => {
                    Some(Cause::NeedsTls)
                }
                _ => Cause::of_tls(error),
            },
            RedisUnavailable::Disconnected => None,
        }
    }
}

/// The command whose answer [`is_replica`] understands. Every user may call it, and it also works while the connection is subscribed.
pub(super) fn hello() -> redis::Cmd {
    redis::cmd("HELLO")
}

/// Whether the answer to [`hello`] is that of a replica: after a failover, an address may lead to the old primary for a while.
pub(super) fn is_replica(answer: &Value) -> bool {
    let Value::Map(fields) = answer else { return false };
    let is = |value: &Value, text: &str| match value {
        Value::BulkString(bytes) => bytes == text.as_bytes(),
        Value::SimpleString(found) => found == text,
        _ => false,
    };
    fields.iter().any(|(name, value)| is(name, "role") && (is(value, "replica") || is(value, "slave")))
}

/// Fails unless the server is the primary.
pub(super) async fn require_primary(connection: &mut MultiplexedConnection) -> Result<(), RedisUnavailable> {
    let answer: Value = hello().query_async(connection).await?;
    if is_replica(&answer) { Err(RedisUnavailable::Refused(Cause::ReadOnly)) } else { Ok(()) }
}
