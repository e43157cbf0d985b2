//! Where the servers are and how to log in, from a URL.
//!
//! The URL may hold a password, so it is never part of a message: places are named
//! by host and port.

use percent_encoding::percent_decode_str;
use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use redis::{RedisConnectionInfo, TlsCertificates};

use super::super::OpenError;
use super::super::url::{shown, unknown_scheme};
use super::tls::Files;

/// The port where none is given.
const PORT: u16 = 6379;

/// How to reach the servers of a store.
#[derive(Clone)]
pub(super) struct Address {
    /// `host:port` of each server named, or the path of a socket.
    pub(super) seeds: Vec<String>,
    socket: bool,
    tls: Option<TlsCertificates>,
    user: Option<String>,
    password: Option<String>,
    database: i64,
}

/// What a URL says.
pub(super) struct Url {
    pub(super) address: Address,
    pub(super) cluster: bool,
    /// Whether to warn of what the server may lose.
    pub(super) warn: bool,
}

impl Url {
    /// Reads a URL of one of the schemes `redis`, `rediss`, `redis+unix`,
    /// `redis+cluster` and `rediss+cluster`.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let scheme = Scheme::of(scheme).ok_or_else(|| unknown_scheme(url))?;
        let advised = |advice| OpenError::Place { url: shown(url), advice };
        let mut parsed = Self {
            address: match scheme.socket {
                true => socket(place).ok_or_else(|| advised(scheme.advice))?,
                false => hosts(place, scheme).map_err(advised)?,
            },
            cluster: scheme.cluster,
            warn: true,
        };
        let mut files = Files::default();
        for (option, value) in ::url::form_urlencoded::parse(query.as_bytes()) {
            parsed.option(scheme, &mut files, &option, &value)?;
        }
        parsed.address.tls = files.read(scheme.tls)?;
        parsed.address.check(files)?;
        Ok(parsed)
    }

    fn option(
        &mut self,
        scheme: &Scheme,
        files: &mut Files,
        option: &str,
        value: &str,
    ) -> Result<(), OpenError> {
        match option {
            "durability" => match value {
                "warn" => self.warn = true,
                "none" => self.warn = false,
                _ => {
                    return Err(OpenError::OptionValue {
                        option: "durability",
                        value: value.into(),
                        known: "durability=warn or durability=none",
                    });
                }
            },
            "ca" if scheme.tls => files.ca = Some(value.into()),
            "cert" if scheme.tls => files.cert = Some(value.into()),
            "key" if scheme.tls => files.key = Some(value.into()),
            "user" if scheme.socket => self.address.user = Some(value.into()),
            "password" if scheme.socket => self.address.password = Some(value.into()),
            "db" if scheme.socket => {
                self.address.database = database(value).ok_or_else(|| OpenError::OptionValue {
                    option: "db",
                    value: value.into(),
                    known: "the number of a database, as in db=0",
                })?;
            }
            _ => {
                return Err(OpenError::Option {
                    scheme: scheme.name,
                    option: option.into(),
                    known: scheme.options,
                });
            }
        }
        Ok(())
    }
}

/// A kind of URL.
struct Scheme {
    name: &'static str,
    tls: bool,
    socket: bool,
    cluster: bool,
    advice: &'static str,
    options: &'static str,
}

const SCHEMES: [Scheme; 5] = [
    Scheme {
        name: "redis:",
        tls: false,
        socket: false,
        cluster: false,
        advice: "write redis://[user:password@]host[:port][/database]",
        options: "it has durability",
    },
    Scheme {
        name: "rediss:",
        tls: true,
        socket: false,
        cluster: false,
        advice: "write rediss://[user:password@]host[:port][/database]",
        options: "it has durability, ca, cert and key",
    },
    Scheme {
        name: "redis+unix:",
        tls: false,
        socket: true,
        cluster: false,
        advice: "name a socket, as in redis+unix:/run/redis/redis.sock",
        options: "it has durability, db, user and password",
    },
    Scheme {
        name: "redis+cluster:",
        tls: false,
        socket: false,
        cluster: true,
        advice: "write redis+cluster://[user:password@]host:port,host:port",
        options: "it has durability",
    },
    Scheme {
        name: "rediss+cluster:",
        tls: true,
        socket: false,
        cluster: true,
        advice: "write rediss+cluster://[user:password@]host:port,host:port",
        options: "it has durability, ca, cert and key",
    },
];

impl Scheme {
    fn of(name: &str) -> Option<&'static Self> {
        SCHEMES.iter().find(|scheme| scheme.name.strip_suffix(':') == Some(name))
    }
}

/// A socket's path, which is taken as it stands.
fn socket(place: &str) -> Option<Address> {
    let path = place.strip_prefix("//").unwrap_or(place);
    path.starts_with('/').then(|| Address {
        seeds: vec![path.into()],
        socket: true,
        tls: None,
        user: None,
        password: None,
        database: 0,
    })
}

/// `//[user:password@]host[:port][,host[:port]...][/database]`.
fn hosts(place: &str, scheme: &Scheme) -> Result<Address, &'static str> {
    let place = place.strip_prefix("//").ok_or(scheme.advice)?;
    let (login, place) = place.rsplit_once('@').map_or((None, place), |(l, p)| (Some(l), p));
    let (hosts, path) = place.split_once('/').unwrap_or((place, ""));
    if !scheme.cluster && hosts.contains(',') {
        return Err("it takes one server; for a cluster write redis+cluster://host:port,host:port");
    }
    if scheme.cluster && !path.is_empty() {
        return Err("a cluster has one database, 0: leave out what follows the hosts");
    }
    let database = match path {
        "" => 0,
        path => database(path).ok_or("write the database as a number, as in redis://host/0")?,
    };
    let (user, password) =
        login.map_or(("", ""), |login| login.split_once(':').unwrap_or((login, "")));
    let (user, password) = (decoded(user)?, decoded(password)?);
    let seeds = hosts.split(',').map(|host| host_and_port(host).ok_or(scheme.advice));
    Ok(Address {
        seeds: seeds.collect::<Result<_, _>>()?,
        socket: false,
        tls: None,
        user,
        password,
        database,
    })
}

/// What is percent-encoded in a URL; `None` for nothing.
fn decoded(text: &str) -> Result<Option<String>, &'static str> {
    let text = percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| "user and password are not UTF-8 when decoded")?;
    Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
}

/// `host:port` for a host that may have a port.
fn host_and_port(text: &str) -> Option<String> {
    // An address of version 6 stands in brackets.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (text, PORT),
    };
    let bare = !host.contains([':', '[', ']']) || (host.starts_with('[') && host.ends_with(']'));
    let legal = !host.is_empty() && bare && !host.contains(char::is_whitespace);
    legal.then(|| format!("{host}:{port}"))
}

fn database(text: &str) -> Option<i64> {
    text.parse::<u32>().ok().map(i64::from)
}

impl Address {
    /// Refuses certificates that are none, now and not at the first connection.
    fn check(&self, files: Files) -> Result<(), OpenError> {
        let named = [("ca", files.ca), ("cert", files.cert)];
        let named = named.into_iter().find_map(|(option, path)| Some((option, path?)));
        match (self.make_client(&self.seeds[0]), named) {
            (Ok(_), _) => Ok(()),
            (Err(error), Some((option, path))) => Err(OpenError::File {
                option,
                path,
                reason: format!("{error}; name a PEM file of certificates"),
            }),
            (Err(error), None) => Err(OpenError::Denied {
                server: format!("redis at {}", self.seeds[0]),
                reason: error.to_string(),
            }),
        }
    }

    /// A client for the server at `place`, one of the seeds or another one of their
    /// cluster.
    pub(super) fn client(&self, place: &str) -> Client {
        self.make_client(place).expect("it could be made when the URL was read")
    }

    fn make_client(&self, place: &str) -> redis::RedisResult<Client> {
        let info = self.connection_info(place)?;
        match &self.tls {
            Some(certificates) => {
                // The first one stays, if the process has chosen one already.
                let _ = rustls::crypto::ring::default_provider().install_default();
                Client::build_with_tls(info, certificates.clone())
            }
            None => Client::open(info),
        }
    }

    fn connection_info(&self, place: &str) -> redis::RedisResult<ConnectionInfo> {
        let addr = match self.socket {
            true => ConnectionAddr::Unix(place.into()),
            false => {
                let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
                let host = host.trim_start_matches('[').trim_end_matches(']').to_string();
                let port = port.parse().unwrap_or(PORT);
                match self.tls {
                    Some(_) => {
                        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
                    }
                    None => ConnectionAddr::Tcp(host, port),
                }
            }
        };
        let mut login = RedisConnectionInfo::default()
            .set_db(self.database)
            .set_lib_name("chunk-store", env!("CARGO_PKG_VERSION"));
        if let Some(user) = &self.user {
            login = login.set_username(user);
        }
        if let Some(password) = &self.password {
            login = login.set_password(password);
        }
        // The end of a large value waits for nothing.
        let tcp = TcpSettings::default().set_nodelay(true);
        Ok(addr.into_connection_info()?.set_redis_settings(login).set_tcp_settings(tcp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        let error = Url::parse(url).err().unwrap_or_else(|| panic!("{url} was understood"));
        error.to_string()
    }

    #[test]
    fn every_form_is_read() {
        for (url, seeds, database) in [
            ("redis://host", &["host:6379"][..], 0),
            ("redis://host:1234/7", &["host:1234"], 7),
            ("redis://[::1]:1234", &["[::1]:1234"], 0),
            ("redis://[::1]", &["[::1]:6379"], 0),
            ("rediss://host", &["host:6379"], 0),
            ("redis+unix:/run/a b.sock?db=3", &["/run/a b.sock"], 3),
            ("redis+unix:///run/redis.sock", &["/run/redis.sock"], 0),
            ("redis+cluster://a:1,b,c:3", &["a:1", "b:6379", "c:3"], 0),
            ("rediss+cluster://a:1", &["a:1"], 0),
        ] {
            let parsed = Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(parsed.address.seeds, seeds, "{url}");
            assert_eq!(parsed.address.database, database, "{url}");
            assert!(parsed.warn, "{url}");
        }
        assert!(!Url::parse("redis://host?durability=none").unwrap().warn);
    }

    #[test]
    fn user_and_password_are_decoded() {
        for (url, user, password) in [
            ("redis://ann:secret@host", Some("ann"), Some("secret")),
            ("redis://:secret@host", None, Some("secret")),
            ("redis://:p%40ss%2Fw:rd@host", None, Some("p@ss/w:rd")),
            ("redis+unix:/s?user=ann&password=a%26b", Some("ann"), Some("a&b")),
            ("redis+cluster://ann:secret@a:1,b:2", Some("ann"), Some("secret")),
        ] {
            let address = Url::parse(url).unwrap().address;
            assert_eq!((address.user.as_deref(), address.password.as_deref()), (user, password));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_without_its_password() {
        for (url, wanted) in [
            ("redis:host", "write redis://[user:password@]host"),
            ("redis://", "write redis://[user:password@]host"),
            ("redis://:hidden@", "write redis://[user:password@]host"),
            ("redis://:hidden@host:port", "write redis://[user:password@]host"),
            ("redis://:hidden@::1", "write redis://[user:password@]host"),
            ("redis://:hidden@host/zero", "as a number"),
            ("redis://:hidden@a,b", "redis+cluster://"),
            ("redis+cluster://:hidden@a,b/1", "one database"),
            ("redis+cluster://:hidden@a,,b", "write redis+cluster://"),
            ("redis+unix:redis.sock?password=hidden", "name a socket"),
            ("redis://:hidden@host?sync=none", "redis: has no option \"sync\": it has durability"),
            ("redis://:hidden@host?ca=x", "no option \"ca\""),
            ("redis://:hidden@host?durability=full", "durability=warn or durability=none"),
            ("redis+unix:/s?password=hidden&db=x", "as in db=0"),
            ("rediss://:hidden@host?ca=/no/such/file", "ca=/no/such/file"),
            ("rediss://:hidden@host?cert=x", "give cert and key"),
        ] {
            let message = refusal(url);
            assert!(message.contains(wanted), "{url}: {message}");
            assert!(!message.contains("hidden") && !message.contains('\n'), "{url}: {message}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(file.path(), pem).unwrap();
        let message = refusal(&format!("rediss://host?ca={}", file.path().display()));
        assert!(message.contains("name a PEM file of certificates"), "{message}");
    }
}
