//! The formats of sealed messages. Imports nothing.

/// A format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Cryptographic Message Syntax: shapes S and P.
    Cms,
    /// CBOR Object Signing and Encryption: what the profile recommends, the smallest.
    #[default]
    Cose,
    /// JSON Object Signing and Encryption.
    Jose,
}

impl Format {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Cms, Self::Cose, Self::Jose];

    /// Its name in key sets and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cms => "cms",
            Self::Cose => "cose",
            Self::Jose => "jose",
        }
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.name() == name)
    }

    /// Media type of its messages.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Cms => "application/cms",
            Self::Cose => "application/cose",
            Self::Jose => "application/jose",
        }
    }
}
