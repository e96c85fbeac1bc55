//! The way to a PostgreSQL server: its address, TLS, a small pool, and patience when it is away.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::StoreError;

/// Connections for verbs. The journal's writer, heartbeats and the listener have one each beside them: a lease must
/// not lapse because eight long reads are under way.
const CONNECTIONS_MAX: usize = 8;
/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a verb waits for a server that is away (restarting, failing over) before it gives up.
const AWAY_MAX: Duration = Duration::from_secs(15);
/// The first wait between two attempts; doubled up to [`BACK_OFF_MAX`].
const BACK_OFF_FIRST: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(2);
/// What every session asks of the server. A process that is stopped in the middle of a transaction must not hold
/// its row locks against a takeover, hence the time-outs: the one for idle transactions, which are only ever a few
/// statements long, lies below the shortest lease.
const SESSION: &str = "-c synchronous_commit=on -c statement_timeout=30s -c lock_timeout=10s \
    -c idle_in_transaction_session_timeout=3s -c client_min_messages=warning -c TimeZone=UTC";

/// An address that was understood.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: MakeRustlsConnect,
}

/// Reads `postgres://user:password@host:port/database?sslmode=require&sslrootcert=FILE`.
///
/// TLS is used when the address asks for it, and then the server's certificate is always checked: against
/// `sslrootcert`, else against the system's roots. (libpq's `require` would accept any certificate.)
pub(super) fn address(url: &str) -> Result<Address, StoreError> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut roots = None;
    let mut mode = None;
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslrootcert", path)) => roots = Some(path.to_owned()),
            Some(("sslmode", word)) => mode = Some(word.to_owned()),
            _ => kept.push(pair),
        }
    }
    let ssl_mode = match mode.as_deref() {
        None | Some("disable") => SslMode::Disable,
        Some("prefer" | "allow") => SslMode::Prefer,
        Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
        Some(other) => {
            return Err(StoreError::Unusable(format!(
                "sslmode={other} is not known; use disable, prefer or require"
            )));
        }
    };
    let plain = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    // The address holds a password: the error says what is wrong with it and does not repeat it.
    let mut config: tokio_postgres::Config = plain.parse().map_err(|error| {
        StoreError::Unusable(format!("the address of the database cannot be read: {error}"))
    })?;
    let options = config.get_options().map_or(SESSION.to_owned(), |own| format!("{SESSION} {own}"));
    config
        .options(options)
        .application_name("muster")
        .ssl_mode(ssl_mode)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_user_timeout(Duration::from_secs(20))
        .keepalives_idle(Duration::from_secs(20));
    Ok(Address { config, tls: tls(ssl_mode, roots.as_deref())? })
}

fn tls(mode: SslMode, roots: Option<&str>) -> Result<MakeRustlsConnect, StoreError> {
    let mut store = rustls::RootCertStore::empty();
    match roots {
        Some(path) => {
            let unreadable = |error: &dyn std::fmt::Display| {
                StoreError::Unusable(format!("sslrootcert={path} cannot be read: {error}"))
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
                let certificate = certificate.map_err(|error| unreadable(&error))?;
                store.add(certificate).map_err(|error| unreadable(&error))?;
            }
        }
        None if mode == SslMode::Disable => {}
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Unusable(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// A pool of connections to one address.
pub(super) fn pool(address: &Address, size: Option<usize>) -> Result<Pool, StoreError> {
    let manager = Manager::from_config(
        address.config.clone(),
        address.tls.clone(),
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    Pool::builder(manager)
        .max_size(size.unwrap_or(CONNECTIONS_MAX))
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(AWAY_MAX))
        .create_timeout(Some(CONNECT_TIMEOUT))
        .recycle_timeout(Some(CONNECT_TIMEOUT))
        .build()
        .map_err(|error| StoreError::Unusable(format!("no pool of connections can be made: {error}")))
}

/// A connection that works; a server that is away is asked again for a while.
pub(super) async fn client(pool: &Pool) -> Result<Object, StoreError> {
    let mut last = String::from("every connection is in use");
    let asking = async {
        let mut wait = BACK_OFF_FIRST;
        loop {
            match pool.get().await {
                Ok(client) => return Some(client),
                Err(error) => {
                    last = with_causes(&error);
                    if !may_pass(&error) {
                        return None;
                    }
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(BACK_OFF_MAX);
        }
    };
    match tokio::time::timeout(AWAY_MAX, asking).await {
        Ok(Some(client)) => Ok(client),
        Ok(None) | Err(_) => Err(StoreError::Unreachable(format!("the database cannot be reached: {last}"))),
    }
}

/// A refused password or a missing database does not mend itself.
fn may_pass(error: &deadpool_postgres::PoolError) -> bool {
    match error {
        deadpool_postgres::PoolError::Backend(error) => match error.code() {
            Some(code) => {
                let class = &code.code()[..2];
                class == "57" || class == "53" || class == "08"
            }
            None => !with_causes(error).contains("certificate"),
        },
        _ => true,
    }
}

/// An error with its causes, in one line.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let said = source.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = source.source();
    }
    text
}
