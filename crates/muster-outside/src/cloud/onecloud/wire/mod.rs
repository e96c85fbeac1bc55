//! The answers of 1cloud as typed models (`spec/onecloud-api.md` §1.4), and nothing else: what they mean in our
//! words stands in `meaning.rs`.
//!
//! Every object is read by hand through one macro instead of a derive, for three reasons: names are matched
//! without regard to case (`ID` and `Id` are both in use), an error names the field by its path
//! (`[12].Server.CPU: …`), and unknown fields cost nothing. Texts are borrowed from the answer.

mod list;
mod scalar;

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

pub use list::{Many, Reference};
pub use scalar::{Clear, Flag, Id, Moment, Text, Whole};

/// A whole answer that must be a list (bare array, no envelope).
#[derive(Debug)]
pub struct List<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = List<T>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<List<T>, A::Error> {
                entries(list).map(List)
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// Reads entries; an error says which one.
fn entries<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(mut list: A) -> Result<Vec<T>, A::Error> {
    let mut read = Vec::new();
    loop {
        match list.next_element() {
            Ok(Some(entry)) => read.push(entry),
            Ok(None) => return Ok(read),
            Err(error) => return Err(at(format_args!("[{}].", read.len()), error)),
        }
    }
}

/// Puts a place before an error. serde_json keeps line and column apart from the text, so they survive.
fn at<E: de::Error>(place: impl fmt::Display, error: E) -> E {
    E::custom(format_args!("{place}{error}"))
}

/// Declares an object: fields that must be there (though they may be `null` where their type allows it) and
/// fields that may be absent.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident {
        must { $($(#[$must_doc:meta])* $must:ident: $must_type:ty = $must_key:literal,)* }
        may { $($(#[$may_doc:meta])* $may:ident: $may_type:ty = $may_key:literal,)* }
    }) => {
        $(#[$doc])*
        pub struct $name<'de> {
            $($(#[$must_doc])* pub $must: $must_type,)*
            $($(#[$may_doc])* pub $may: $may_type,)*
            _borrowed: PhantomData<&'de ()>,
        }

        impl<'de> Deserialize<'de> for $name<'de> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Reader;
                impl<'de> Visitor<'de> for Reader {
                    type Value = $name<'de>;
                    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                        out.write_str(concat!("an object ", stringify!($name)))
                    }
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        $(let mut $must: Option<$must_type> = None;)*
                        $(let mut $may: $may_type = Default::default();)*
                        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                            let key: &str = &key;
                            $(if key.eq_ignore_ascii_case($must_key) {
                                $must = Some(map.next_value().map_err(|error| {
                                    at(concat!(stringify!($name), ".", $must_key, ": "), error)
                                })?);
                                continue;
                            })*
                            $(if key.eq_ignore_ascii_case($may_key) {
                                $may = map.next_value().map_err(|error| {
                                    at(concat!(stringify!($name), ".", $may_key, ": "), error)
                                })?;
                                continue;
                            })*
                            map.next_value::<IgnoredAny>()?;
                        }
                        Ok($name {
                            $($must: $must.ok_or_else(|| de::Error::custom(
                                concat!(stringify!($name), " has no field ", $must_key)
                            ))?,)*
                            $($may,)*
                            _borrowed: PhantomData,
                        })
                    }
                }
                deserializer.deserialize_any(Reader)
            }
        }
    };
}

object! {
    /// A server. `AdminPassword` is not here: it is read by [`Login`] alone, when it is needed.
    Server {
        must {
            /// Its id.
            id: Id = "ID",
            /// Its name; not unique.
            name: Text<'de> = "Name",
            /// `New`, `Active`, …; any word.
            state: Text<'de> = "State",
            /// Whether it is powered on.
            power_on: Flag = "IsPowerOn",
            /// Cores.
            cpu: Whole = "CPU",
            /// Memory, MB.
            ram: Whole = "RAM",
            /// Disk, GB.
            hdd: Whole = "HDD",
            /// `SSD`, `SAS`.
            hdd_type: Text<'de> = "HDDType",
            /// The image's technical name.
            image: Text<'de> = "Image",
            /// The pool.
            high_performance: Flag = "IsHighPerformance",
            /// The place's technical title.
            location: Text<'de> = "DCLocation",
        }
        may {
            /// Its public address; empty until assigned.
            ip: Text<'de> = "IP",
            /// The same from another side.
            primary_ip: Text<'de> = "PrimaryNetworkIp",
            /// The first user.
            admin_user: Text<'de> = "AdminUserName",
            /// `Linux`, `Windows`, `Bsd`.
            family: Text<'de> = "ImageFamily",
            /// Links to networks.
            links: Many<Link<'de>> = "LinkedNetworks",
            /// Keys it was made with.
            keys: Many<Reference> = "LinkedSshKeys",
            /// When it was made.
            created: Moment = "DateCreate",
        }
    }
}

object! {
    /// A link between a server and a network, inside [`Server`].
    Link {
        must {
            /// The network.
            network: Id = "NetworkID",
        }
        may {
            /// `New`, `Active`.
            state: Text<'de> = "LinkState",
            /// `PublicShared`, …; the word for private ones is not known.
            kind: Text<'de> = "NetworkType",
            /// Its address.
            ip: Text<'de> = "IP",
            /// Its hardware address.
            mac: Text<'de> = "MAC",
            /// The mask of its address.
            mask: Text<'de> = "Mask",
            /// Its speed, Mbit/s; 0 = not said.
            bandwidth: Whole = "Bandwidth",
            /// Its own id; empty = not said.
            link: Text<'de> = "LinkID",
        }
    }
}

object! {
    /// Who may log in first, read from the same answer as [`Server`].
    Login {
        must {}
        may {
            /// The user.
            user: Text<'de> = "AdminUserName",
            /// The password, a secret from here on.
            password: Clear = "AdminPassword",
        }
    }
}

object! {
    /// What an asynchronous change is called while it runs.
    Action {
        must {
            /// `InProgress`, `Completed`, `Postponed`; any word.
            state: Text<'de> = "State",
        }
        may {
            /// When it began.
            start: Moment = "StartDate",
        }
    }
}

object! {
    /// A private network.
    Network {
        must {
            /// Its id.
            id: Id = "ID",
            /// Its name.
            name: Text<'de> = "Name",
        }
        may {
            /// `New`, `Active`, `NeedMoney`; any word.
            state: Text<'de> = "State",
            /// Whether addresses are handed out.
            dhcp: Flag = "IsDHCP",
            /// The place's technical title.
            location: Text<'de> = "DCLocation",
            /// Servers linked to it.
            servers: Many<Reference> = "LinkedServers",
            /// The mask of its addresses.
            mask: Text<'de> = "Mask",
        }
    }
}

object! {
    /// An operating system image.
    Image {
        must {
            /// Its id; drifts.
            id: Id = "ID",
            /// Its technical name.
            name: Text<'de> = "Name",
        }
        may {
            /// Its public name.
            display: Text<'de> = "DisplayName",
            /// Where it is offered; empty = everywhere.
            location: Text<'de> = "DCLocation",
            /// The least disk, GB.
            hdd: Whole = "Hdd",
            /// `Linux`, `Windows`, `Bsd`.
            family: Text<'de> = "Family",
        }
    }
}

object! {
    /// A data centre.
    Location {
        must {
            /// The word for requests.
            technical: Text<'de> = "TechTitle",
        }
        may {
            /// The public title; not unique.
            title: Text<'de> = "Title",
            /// The short title.
            short: Text<'de> = "ShortTitle",
            /// Whether the base pool exists.
            low_pool: Flag = "IsEnableLowPool",
            /// Whether the high-performance pool exists.
            high_pool: Flag = "IsEnableHighPool",
            /// Whether backups exist.
            backup: Flag = "IsEnableBackup",
            /// Whether it is closed to customers.
            admins_only: Flag = "IsOnlyForAdmins",
        }
    }
}

object! {
    /// A public key kept at the provider.
    SshKey {
        must {
            /// Its id.
            id: Id = "ID",
        }
        may {
            /// Its title.
            title: Text<'de> = "Title",
            /// The key.
            public_key: Text<'de> = "PublicKey",
        }
    }
}

object! {
    /// The customer.
    Account {
        must {
            /// The customer's id.
            id: Id = "ID",
        }
        may {
            /// Money by project, which also names the projects.
            projects: Many<ProjectBalance<'de>> = "ProjectBalances",
        }
    }
}

object! {
    /// One project's money, inside [`Account`].
    ProjectBalance {
        must {}
        may {
            /// The project's id.
            project: Text<'de> = "ProjectId",
        }
    }
}

object! {
    /// The project that a key belongs to. Its shape is hardly known: everything may be absent.
    Project {
        must {}
        may {
            /// Its id, if the object says so itself.
            id: Text<'de> = "ID",
            /// The same under a longer name.
            project: Text<'de> = "ProjectId",
        }
    }
}

object! {
    /// The body of a refusal.
    Refusal {
        must {
            /// The provider's words.
            message: Text<'de> = "Message",
        }
        may {}
    }
}
